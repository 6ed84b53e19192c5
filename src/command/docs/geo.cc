// What COMMAND DOCS says of the geo commands; the notation of arguments is in command/docs.h.
#include "command/docs.h"

namespace holdfast::command {
namespace {

constexpr Docs kRows[] = {
    {.name = "geoadd",
     .summary = "Adds places with longitude and latitude.",
     .complexity = "O(log(N))",
     .arguments = "key:key@0 ?condition:oneof^6.2.0{nx:pure-token/NX xx:pure-token/XX} "
                  "?change:pure-token/CH^6.2.0 *data:block{longitude:double latitude:double member:string}"},
    {.name = "geodist",
     .summary = "Distance of two places.",
     .complexity = "O(1)",
     .arguments = "key:key@0 member1:string member2:string ?unit:oneof{m:pure-token/m km:pure-token/km "
                  "ft:pure-token/ft mi:pure-token/mi}"},
    {.name = "geohash",
     .summary = "Places as geohash texts.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?*member:string"},
    {.name = "geopos",
     .summary = "Longitude and latitude of places.",
     .complexity = "O(1)",
     .arguments = "key:key@0 ?*member:string"},
    {.name = "georadius",
     .summary = "Places around a point, and may store them.",
     .complexity = "O(N+log(M))",
     .replaced_by = "`GEOSEARCH`, `GEOSEARCHSTORE` (`BYRADIUS`)",
     .arguments = "key:key@0 longitude:double latitude:double radius:double unit:oneof{m:pure-token/m "
                  "km:pure-token/km ft:pure-token/ft mi:pure-token/mi} ?withcoord:pure-token/WITHCOORD "
                  "?withdist:pure-token/WITHDIST ?withhash:pure-token/WITHHASH "
                  "?count-block:block{count:integer/COUNT ?any:pure-token/ANY^6.2.0} "
                  "?order:oneof{asc:pure-token/ASC desc:pure-token/DESC} ?store:oneof{storekey=key:key@1/STORE "
                  "storedistkey=key:key@2/STOREDIST}"},
    {.name = "georadius_ro",
     .summary = "Places around a point.",
     .complexity = "O(N+log(M))",
     .replaced_by = "`GEOSEARCH` (`BYRADIUS`)",
     .arguments = "key:key@0 longitude:double latitude:double radius:double unit:oneof{m:pure-token/m "
                  "km:pure-token/km ft:pure-token/ft mi:pure-token/mi} ?withcoord:pure-token/WITHCOORD "
                  "?withdist:pure-token/WITHDIST ?withhash:pure-token/WITHHASH "
                  "?count-block:block{count:integer/COUNT ?any:pure-token/ANY^6.2.0} "
                  "?order:oneof{asc:pure-token/ASC desc:pure-token/DESC}"},
    {.name = "georadiusbymember",
     .summary = "Places around a place, and may store them.",
     .complexity = "O(N+log(M))",
     .replaced_by = "`GEOSEARCH`, `GEOSEARCHSTORE` (`BYRADIUS`, `FROMMEMBER`)",
     .arguments = "key:key@0 member:string radius:double unit:oneof{m:pure-token/m km:pure-token/km "
                  "ft:pure-token/ft mi:pure-token/mi} ?withcoord:pure-token/WITHCOORD "
                  "?withdist:pure-token/WITHDIST ?withhash:pure-token/WITHHASH "
                  "?count-block:block{count:integer/COUNT ?any:pure-token/ANY} ?order:oneof{asc:pure-token/ASC "
                  "desc:pure-token/DESC} ?store:oneof{storekey=key:key@1/STORE storedistkey=key:key@2/STOREDIST}"},
    {.name = "georadiusbymember_ro",
     .summary = "Places around a place.",
     .complexity = "O(N+log(M))",
     .replaced_by = "`GEOSEARCH` (`BYRADIUS`, `FROMMEMBER`)",
     .arguments = "key:key@0 member:string radius:double unit:oneof{m:pure-token/m km:pure-token/km "
                  "ft:pure-token/ft mi:pure-token/mi} ?withcoord:pure-token/WITHCOORD "
                  "?withdist:pure-token/WITHDIST ?withhash:pure-token/WITHHASH "
                  "?count-block:block{count:integer/COUNT ?any:pure-token/ANY} ?order:oneof{asc:pure-token/ASC "
                  "desc:pure-token/DESC}"},
    {.name = "geosearch",
     .summary = "Places inside a circle or a box.",
     .complexity = "O(N+log(M))",
     .arguments = "key:key@0 from:oneof{member:string/FROMMEMBER fromlonlat:block/FROMLONLAT{longitude:double "
                  "latitude:double}} by:oneof{circle:block{radius:double/BYRADIUS unit:oneof{m:pure-token/m "
                  "km:pure-token/km ft:pure-token/ft mi:pure-token/mi}} box:block{width:double/BYBOX "
                  "height:double unit:oneof{m:pure-token/m km:pure-token/km ft:pure-token/ft mi:pure-token/mi}}} "
                  "?order:oneof{asc:pure-token/ASC desc:pure-token/DESC} ?count-block:block{count:integer/COUNT "
                  "?any:pure-token/ANY} ?withcoord:pure-token/WITHCOORD ?withdist:pure-token/WITHDIST "
                  "?withhash:pure-token/WITHHASH"},
    {.name = "geosearchstore",
     .summary = "Stores the places inside a circle or a box.",
     .complexity = "O(N+log(M))",
     .arguments = "destination:key@0 source:key@1 from:oneof{member:string/FROMMEMBER "
                  "fromlonlat:block/FROMLONLAT{longitude:double latitude:double}} "
                  "by:oneof{circle:block{radius:double/BYRADIUS unit:oneof{m:pure-token/m km:pure-token/km "
                  "ft:pure-token/ft mi:pure-token/mi}} box:block{width:double/BYBOX height:double "
                  "unit:oneof{m:pure-token/m km:pure-token/km ft:pure-token/ft mi:pure-token/mi}}} "
                  "?order:oneof{asc:pure-token/ASC desc:pure-token/DESC} ?count-block:block{count:integer/COUNT "
                  "?any:pure-token/ANY} ?storedist:pure-token/STOREDIST"},
};

}  // namespace

std::span<const Docs> geo_docs() { return kRows; }

}  // namespace holdfast::command
