package api

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected answers anew")

// refusal is one block of testdata/refused.txt.
type refusal struct {
	name    string
	request string // Method and target.
	headers []string
	body    string
	want    string // Status and body.
}

func readRefusals(t *testing.T, path string) (head string, all []refusal) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "== ")
	for _, block := range blocks[1:] {
		asked, want, _ := strings.Cut(block, "\n--\n")
		top, body, _ := strings.Cut(asked, "\n\n")
		lines := strings.Split(top, "\n")
		all = append(all, refusal{
			name: lines[0], request: lines[1], headers: lines[2:], body: body, want: strings.TrimSpace(want),
		})
	}
	return blocks[0], all
}

// TestRefused sends what the API must refuse. Each answer is compared whole, and nothing that is stored may change.
func TestRefused(t *testing.T) {
	const path = "testdata/refused.txt"
	head, all := readRefusals(t, path)
	out := head
	r := newRig(t)
	before, revision := r.content(t), r.catalog(t).Revision
	for i := range all {
		c := &all[i]
		t.Run(c.name, func(t *testing.T) {
			r.api.logins = newLimiter()
			method, target, _ := strings.Cut(c.request, " ")
			q := request(t, method, target, c.body)
			for _, h := range c.headers {
				name, value, _ := strings.Cut(h, ":")
				q.Header.Set(name, strings.TrimSpace(value))
			}
			a := r.send(t, q)
			got := fmt.Sprintf("%d\n%s", a.code, strings.TrimSpace(a.body))
			if !*update && got != c.want {
				t.Errorf("%s %s\ngot  %s\nwant %s", c.request, c.body, got, c.want)
			}
			out += "== " + c.name + "\n" + strings.Join(append([]string{c.request}, c.headers...), "\n") + "\n\n" + c.body + "\n--\n" + got + "\n\n"
			if a.code < 400 {
				t.Errorf("it was not refused: %s", got)
			}
			if r.content(t) != before || r.catalog(t).Revision != revision {
				t.Fatal("the catalog changed")
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answers := answersOf(out)
	for _, secret := range []string{"hush-header", "hush-password", "hidden"} {
		if strings.Contains(answers, secret) {
			t.Errorf("%q is in an answer", secret)
		}
	}
}

// answersOf keeps the answers of a file of refusals.
func answersOf(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, `{"error`) {
			b.WriteString(line)
		}
	}
	return b.String()
}
