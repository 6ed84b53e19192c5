# bash completion for holdfast's own subcommands
_holdfast() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W 'server sentinel proxy up down status version help' -- "$current")
    return
  fi
  case $previous in
    --dir)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --replicas | --sentinels | --quorum | --port | --sentinel-port | --proxy-port | --bind) return ;;
  esac
  case ${COMP_WORDS[1]} in
    up)
      mapfile -t COMPREPLY < <(compgen -W '--replicas --sentinels --quorum --port --sentinel-port --proxy-port --bind
        --dir --detach --help' -- "$current")
      ;;
    down | status) mapfile -t COMPREPLY < <(compgen -W '--dir --help' -- "$current") ;;
    server | sentinel | proxy) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  esac
}
complete -F _holdfast holdfast
