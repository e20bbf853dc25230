package dialplan

import (
	"net/url"
	"strings"
	"testing"
)

func TestAppendUser(t *testing.T) {
	tests := []struct {
		name                  string
		prefix, dial, postfix string
		raw                   bool
		want                  string
	}{
		{name: "as dialled", dial: "+15551234567", want: "+15551234567"},
		{name: "literal concatenation", prefix: "1", dial: "+15551234567", want: "1+15551234567"},
		{name: "prefix and postfix", prefix: "9#", dial: "1555", postfix: "*1", want: "9%231555*1"},
		{name: "all that may stand", dial: "azAZ09-_.!~*'()&=+$,;?/", want: "azAZ09-_.!~*'()&=+$,;?/"},
		{name: "what may not", dial: "a:b@c#d\"e\\f[g]\x00\xff ", want: "a%3Ab%40c%23d%22e%5Cf%5Bg%5D%00%FF%20"},
		{name: "the colon of a password", prefix: "a:", dial: "b:", postfix: "c:", want: "a%3Ab%3Ac%3A"},
		{name: "an escape that was dialled stays", dial: "%2331%23", want: "%2331%23"},
		{name: "in either case", dial: "%2f%2F", want: "%2f%2F"},
		{name: "half an escape does not", dial: "1%2", postfix: "3", want: "1%2523"},
		{name: "nor does a wrong one", dial: "%zz%1g", want: "%25zz%251g"},
		{name: "a configured percent is literal", prefix: "%23", dial: "1", postfix: "%41", want: "%25231%2541"},
		{name: "parameters stay", dial: "+1555;npdi;rn=+1", want: "+1555;npdi;rn=+1"},
		{name: "raw", prefix: "9#", dial: "%2331#", postfix: ":%", raw: true, want: "9#%2331#:%"},
		{name: "nothing", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AppendUser([]byte("sip:"), tt.prefix, []byte(tt.dial), tt.postfix, tt.raw)
			if string(got) != "sip:"+tt.want {
				t.Errorf("AppendUser = %q, want %q", got, "sip:"+tt.want)
			}
		})
	}
}

func FuzzAppendUser(f *testing.F) {
	f.Add("9#", "+15551234567;npdi", "%")
	f.Add("%", "%23%2", "3")
	f.Fuzz(func(t *testing.T, prefix, dial, postfix string) {
		got := string(AppendUser(nil, prefix, []byte(dial), postfix, false))
		for i := range len(got) {
			if got[i] != '%' && !inUser(got[i]) {
				t.Fatalf("%q holds %q", got, got[i])
			}
		}
		meant, err := url.PathUnescape(got)
		if err != nil {
			t.Fatal(err)
		}
		middle := meant
		for _, cut := range []struct {
			ok bool
			s  string
		}{{strings.HasPrefix(meant, prefix), prefix}, {strings.HasSuffix(meant, postfix), postfix}} {
			if !cut.ok {
				t.Fatalf("%q means %q, not between %q and %q", got, meant, prefix, postfix)
			}
			middle = middle[:len(middle)-len(cut.s)]
		}
		again := string(AppendUser(nil, "", []byte(got), "", false))
		if again != got {
			t.Fatalf("%q escaped again is %q", got, again)
		}
		if !strings.Contains(dial, "%") && len(middle) != len(dial) {
			t.Fatalf("%q means %q, %d bytes between the ends, want %d", got, meant, len(middle), len(dial))
		}
	})
}
