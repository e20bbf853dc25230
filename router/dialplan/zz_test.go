package dialplan
import ("testing";"math/rand/v2";"strconv")
func BenchmarkChase(b *testing.B){
 for _,mb:=range []int{1,8,16,64}{ b.Run(strconv.Itoa(mb),func(b *testing.B){
  n:=mb<<20/64; a:=make([][8]uint64,n); p:=rand.Perm(n)
  for i:=range p { a[p[i]][0]=uint64(p[(i+1)%n]) }
  x:=uint64(0); for b.Loop(){ x=a[x][0] }; _=x })}}
