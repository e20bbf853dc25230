package dialplan
import "testing"
func BenchmarkHot(b *testing.B){
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			w := worldOf(s)
			t := New(w.catalog)
			dst := make([]Choice, 0, 64)
			for _, m := range []int{255, 4095} {
			b.Run("", func(b *testing.B){
			i := 0
			for b.Loop() {
				dst = t.Append(dst[:0], w.numbers[i&m], w.customers[i&m], uint64(i))
				i++
			}
			})
			}
		})
	}
}
