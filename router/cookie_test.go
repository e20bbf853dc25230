package router

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/voipbin/dialrouter/sdp"
)

func testKey(tb testing.TB) *routeKey {
	tb.Helper()
	k, err := newRouteKey([]byte("0123456789abcdef0123456789ABCDEF"))
	if err != nil {
		tb.Fatal(err)
	}
	return &k
}

func TestCookie(t *testing.T) {
	plain := cookie{callerTag: testKey(t).tagHash([]byte("tag")), providerTag: 0x0123456789abcdef, codecs: []byte{0, 1, 0x83, 'x', 'y', 'z'}}
	numbered := plain
	numbered.numbered, numbered.numbering = true, numbering{first: 0xfedcba98, shift: maxShift}
	for name, in := range map[string]cookie{"plain": plain, "numbered": numbered} {
		t.Run(name, func(t *testing.T) { checkCookie(t, in) })
	}
}

// TestCookieGolden holds the text of cookies: those of running calls must be read after an upgrade.
func TestCookieGolden(t *testing.T) {
	k := testKey(t)
	for want, in := range map[string]cookie{
		"EAECAwQREhMUFRYXGAABCj6EOcsKhc4": {callerTag: 0x01020304, providerTag: 0x1112131415161718, codecs: []byte{0, 1}},
		"EAECAwQREhMUFRYXGP0a3jHpulL7":    {callerTag: 0x01020304, providerTag: 0x1112131415161718},
		"IQECAwQREhMUFRYXGAAAAGQAAe6f97lXVzKC": {
			callerTag: 0x01020304, providerTag: 0x1112131415161718, codecs: []byte{0, 1}, numbered: true,
			numbering: numbering{first: 100, shift: 1},
		},
	} {
		if got := string(k.seal(nil, &in, []byte("call-1"))); got != want {
			t.Errorf("%+v is written %q, want %q", in, got, want)
		}
	}
}

func checkCookie(t *testing.T, in cookie) {
	t.Helper()
	k := testKey(t)
	text := k.seal(nil, &in, []byte("call-1"))
	var buf [cookieMax]byte
	out, ok := k.open(text, []byte("call-1"), &buf)
	if !ok || out.callerTag != in.callerTag || out.providerTag != in.providerTag || !bytes.Equal(out.codecs, in.codecs) ||
		out.numbered != in.numbered || out.numbering != in.numbering {
		t.Fatalf("%+v %v, want %+v", out, ok, in)
	}
	if bytes.ContainsAny(text, "+/=;>\" ") {
		t.Errorf("%q may not stand in a URI parameter", text)
	}

	if _, ok := k.open(text, []byte("call-2"), &buf); ok {
		t.Error("a cookie is good for another call")
	}
	other, _ := newRouteKey(bytes.Repeat([]byte{7}, 32))
	if _, ok := other.open(text, []byte("call-1"), &buf); ok {
		t.Error("a cookie is good for another key")
	}
	raw, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		forged := bytes.Clone(raw)
		forged[i/8] ^= 1 << (i % 8)
		if _, ok := k.open([]byte(base64.RawURLEncoding.EncodeToString(forged)), []byte("call-1"), &buf); ok {
			t.Errorf("bit %d may be changed", i)
		}
	}
	for n := range len(text) {
		if _, ok := k.open(text[:n], []byte("call-1"), &buf); ok {
			t.Errorf("the first %d characters are enough", n)
		}
	}
	for _, bad := range []string{"", "!", strings.Repeat("A", 5000), "====", string(text) + "A"} {
		if _, ok := k.open([]byte(bad), []byte("call-1"), &buf); ok {
			t.Errorf("%.20q is taken", bad)
		}
	}
}

func TestCookieCodecs(t *testing.T) {
	for in, want := range map[string]string{
		"PCMU,PCMA":                     "PCMU,PCMA",
		"pcma , g722":                   "PCMA,G722",
		"opus/48000/2,PCMU":             "OPUS/48000/2,PCMU",
		"EVS,PCMU,X-odd":                "EVS,PCMU,X-odd",
		strings.Repeat("a", 120):        strings.Repeat("a", 120),
		"":                              "",
		strings.Repeat("a", 128) + ",b": "", // Too long for its length byte: not carried.
		longList():                      "", // Too long for the cookie.
	} {
		p, err := sdp.Compile(in)
		if err != nil {
			t.Fatal(err)
		}
		b := encodeCodecs(p)
		if got := string(decodeCodecs(nil, b)); !strings.EqualFold(got, want) {
			t.Errorf("%.40q comes back as %q, want %q", in, got, want)
		}
		if len(b) > maxCodecBytes {
			t.Errorf("%.40q takes %d bytes", in, len(b))
		}
	}
}

// longList has as many unknown names as a list may hold.
func longList() string {
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("codec%02d", i))
	}
	return strings.Join(names, ",")
}

func TestRouteKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "route.key")
	// Nodes that start at once on one file agree.
	keys := make([]routeKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			k, err := loadRouteKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = k
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k == (routeKey{}) {
			t.Fatal("the nodes have different keys")
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || fi.Size() != 32 {
		t.Errorf("%v, %v", fi, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".route-key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadRouteKey(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a short key: %v", err)
	}
	if _, err := loadRouteKey(filepath.Join(dir, "none", "route.key")); err == nil {
		t.Error("a key in a folder that does not exist")
	}
}

func TestBranch(t *testing.T) {
	b := appendBranch(nil, 0xdeadbeef, 0x0123456789abcdef, 0xfeedface)
	if string(b) != "z9hG4bKdeadbeef0123456789abcdeffeedface" {
		t.Errorf("%s", b)
	}
	if slot, nonce, loop, ok := parseBranch(b); !ok || slot != 0xdeadbeef || nonce != 0x0123456789abcdef || loop != 0xfeedface {
		t.Errorf("%x %x %x %v", slot, nonce, loop, ok)
	}
	for _, bad := range []string{"", "z9hG4bK", string(b[:38]), string(b) + "0", "Z" + string(b[1:]), strings.ToUpper(string(b)), strings.Replace(string(b), "d", "g", 1)} {
		if _, _, _, ok := parseBranch([]byte(bad)); ok {
			t.Errorf("%q is taken for ours", bad)
		}
	}
}

func FuzzCookie(f *testing.F) {
	k := testKey(f)
	f.Add([]byte("EESA-9S5CGlfyNBbZAAB_bcqPmJcIl4"), []byte("c"))
	f.Add(k.seal(nil, &cookie{codecs: []byte{1, 0x81, 'x'}}, []byte("c")), []byte("c"))
	f.Add(k.seal(nil, &cookie{codecs: []byte{1}, numbered: true, numbering: numbering{first: 7, shift: 3}}, []byte("c")), []byte("c"))
	f.Fuzz(func(t *testing.T, text, callID []byte) {
		var buf [cookieMax]byte
		c, ok := k.open(text, callID, &buf)
		if !ok {
			return
		}
		// Nobody without the key gets here but with what seal wrote.
		if again := k.seal(nil, &c, callID); !bytes.Equal(again, text) {
			t.Fatalf("%q was taken, but is written %q", text, again)
		}
		decodeCodecs(nil, c.codecs)
	})
}
