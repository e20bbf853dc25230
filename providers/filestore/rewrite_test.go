package filestore

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

var update = flag.Bool("update", false, "write what the golden tests got as what they want")

var dawn = time.Date(2026, 4, 23, 6, 0, 0, 0, time.UTC)

// golden is a file of testdata/rewrite: sections "-- before --", "-- change --" (a line for each call of the API, see
// change) and "-- after --".
type golden struct{ before, change, after string }

func readGolden(tb testing.TB, path string) golden {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "-- before --\n")
	before, rest, ok1 := strings.Cut(rest, "-- change --\n")
	change, after, ok2 := strings.Cut(rest, "-- after --\n")
	if !ok1 || !ok2 {
		tb.Fatalf("%s is no golden file", path)
	}
	return golden{before, change, after}
}

// change does what one line says, such as
//
//	post provider b hostname=b.example
//	put provider a codecs=PCMA header:X-A=1
//	delete route +1 a
//	put route +1 a priority=3
func change(d *providers.Draft, line string) error {
	words := strings.Fields(line)
	if words[1] == "provider" {
		return changeProvider(d, words[0], words[2], words[3:])
	}
	return changeRoute(d, words[0], words[2], words[3], words[4:])
}

func changeProvider(d *providers.Draft, verb, name string, fields []string) error {
	p := providers.Provider{
		ID: uuid.NewSHA1(uuid.Nil, []byte(name)), Type: "sip", Name: name, Hostname: name + ".example", Enabled: true,
	}
	if verb != "post" {
		old, err := d.ProviderNamed(name)
		if err != nil {
			return err
		}
		if p = *old; verb == "delete" {
			_, err = d.DeleteProvider(p.ID)
			return err
		}
	}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "name":
			p.Name = value
		case "hostname":
			p.Hostname = value
		case "tech_prefix":
			p.TechPrefix = value
		case "tech_postfix":
			p.TechPostfix = value
		case "detail":
			p.Detail = strings.NewReplacer("_", " ", `\n`, "\n").Replace(value)
		case "codecs":
			p.Codecs = value
		case "transport":
			p.Transport = providers.Transport(value)
		case "enabled":
			p.Enabled = value == "true"
		case "headers":
			p.TechHeaders = nil
		case "no_reply":
			p.Budgets.NoReply, _ = time.ParseDuration(value)
		case "answer":
			p.Budgets.Answer, _ = time.ParseDuration(value)
		case "next":
			p.Failover.Next = nil
			if value != "" {
				p.Failover.Next = strings.Split(value, "|")
			}
		case "preset":
			p.Failover.Preset = value
		case "rule":
			code, reason, _ := strings.Cut(value, "|")
			p.Failover.Rules = append(p.Failover.Rules, providers.Rule{Code: code, Reason: reason, Then: providers.ActionNext})
		case "rules":
			p.Failover.Rules = []providers.Rule{}
		case "after_ringing":
			after := value == "true"
			p.Failover.AfterRinging = &after
		case "calls":
			p.Limits.Calls, _ = strconv.Atoi(value)
		case "password":
			p.Credentials.Username, p.Credentials.Password = "user", value
		case "metadata":
			p.Metadata = map[string]string{"telnyx_fqdn": value}
		default:
			name, ok := strings.CutPrefix(key, "header:")
			if !ok {
				return fmt.Errorf("unknown field %q", key)
			}
			p.TechHeaders = slices.DeleteFunc(p.TechHeaders, func(h providers.Header) bool { return h.Name == name })
			if value != "" {
				p.TechHeaders = append(p.TechHeaders, providers.Header{Name: name, Value: value})
			}
		}
	}
	var err error
	if verb == "post" {
		_, err = d.CreateProvider(p)
	} else {
		_, err = d.ReplaceProvider(p)
	}
	return err
}

func changeRoute(d *providers.Draft, verb, target, to string, fields []string) error {
	id, err := uuid.Parse(to)
	if err != nil {
		p, err := d.ProviderNamed(to)
		if err != nil {
			return err
		}
		id = p.ID
	}
	r := providers.Route{
		ID: uuid.NewSHA1(uuid.Nil, []byte(target+to)), CustomerID: providers.Everyone, ProviderID: id, Target: target,
		Weight: providers.DefaultWeight,
	}
	if verb != "post" {
		found := false
		for _, old := range d.Base().Routes {
			if old.Target == target && old.ProviderID == id {
				r, found = old, true
			}
		}
		if !found {
			return fmt.Errorf("no route %s to %s", target, to)
		}
		if verb == "delete" {
			_, err := d.DeleteRoute(r.ID)
			return err
		}
	}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "priority":
			r.Priority, _ = strconv.Atoi(value)
		case "weight":
			r.Weight, _ = strconv.Atoi(value)
		case "target":
			r.Target = value
		case "customer":
			r.CustomerID = uuid.MustParse(value)
		case "name":
			r.Name = value
		case "provider":
			p, err := d.ProviderNamed(value)
			if err != nil {
				return err
			}
			r.ProviderID = p.ID
		default:
			return fmt.Errorf("unknown field %q", key)
		}
	}
	if verb == "post" {
		_, err = d.CreateRoute(r)
	} else {
		_, err = d.ReplaceRoute(r)
	}
	return err
}

// compose makes the changes upon a file's content and returns the new content, which must say what is meant.
func compose(t *testing.T, before, changes string) string {
	t.Helper()
	c, ix, problems := read("before", []byte(before), "1", forgetful(dawn))
	if c == nil {
		t.Fatal(problems)
	}
	d := providers.NewDraft(c, dawn.Add(time.Hour))
	for line := range strings.Lines(changes) {
		if err := change(d, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	after, err := settleDraft(d, ix)
	if err != nil {
		t.Fatal(err)
	}
	got, newIndex, err := rewrite(&text{data: []byte(before)}, ix, d.Changes(), after)
	if err != nil {
		t.Fatal(err)
	}
	again, readIndex, problems := read("after", got, "2", forgetful(dawn))
	if again == nil {
		t.Fatalf("%v in\n%s", problems, got)
	}
	if err := sameCatalog(after, again); err != nil {
		t.Errorf("%v in\n%s", err, got)
	}
	if !slices.Equal(newIndex.providers, readIndex.providers) || !slices.Equal(newIndex.routes, readIndex.routes) {
		t.Errorf("index %v, read %v", newIndex, readIndex)
	}
	return string(got)
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "rewrite", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			g := readGolden(t, file)
			got := compose(t, g.before, g.change)
			if *update {
				content := "-- before --\n" + g.before + "-- change --\n" + g.change + "-- after --\n" + got
				if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != g.after {
				t.Errorf("got\n%s\nwant\n%s", got, g.after)
			}
			// With the other line break, everything is the same.
			crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
			if got := compose(t, crlf(g.before), g.change); got != crlf(g.after) {
				t.Errorf("with CR LF: got\n%q\nwant\n%q", got, crlf(g.after))
			}
		})
	}
}

// FuzzRewrite holds that whatever a good file looks like, a change to it either leaves a file that says exactly what
// is meant, with all comments, or is refused.
func FuzzRewrite(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "rewrite", "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for i, file := range files {
		f.Add(readGolden(f, file).before, []byte{byte(i), byte(i + 1), byte(i + 2), 0x10, 0x21, 0x32, 0x43, 0x54, 0x65})
	}
	f.Fuzz(func(t *testing.T, before string, steps []byte) {
		c, ix, _ := read("before", []byte(before), "1", forgetful(dawn))
		if c == nil || len(steps) > 16 {
			return
		}
		d := providers.NewDraft(c, dawn.Add(time.Hour))
		removes := false
		for i, step := range steps {
			removes = randomChange(d, i, step) || removes
		}
		after, err := settleDraft(d, ix)
		if err != nil || len(d.Changes()) == 0 {
			return
		}
		got, newIndex, err := rewrite(&text{data: []byte(before)}, ix, d.Changes(), after)
		if err != nil {
			return
		}
		again, readIndex, problems := read("after", got, "2", forgetful(dawn))
		if again == nil {
			t.Fatalf("%v in\n%s\nfrom\n%s", problems, got, before)
		}
		if err := sameCatalog(after, again); err != nil {
			t.Errorf("%v in\n%s\nfrom\n%s", err, got, before)
		}
		if !slices.Equal(newIndex.providers, readIndex.providers) || !slices.Equal(newIndex.routes, readIndex.routes) {
			t.Errorf("index %v, read %v", newIndex, readIndex)
		}
		if removes {
			return
		}
		for _, comment := range commentsOf(before) {
			if !strings.Contains(string(got), comment) {
				t.Errorf("lost %q of\n%s\nin\n%s", comment, before, got)
			}
		}
	})
}

// randomChange makes one change and says whether it takes something away, with the comments in it.
func randomChange(d *providers.Draft, i int, step byte) (removes bool) {
	var p *providers.Provider
	if all := d.Base().Providers; len(all) > 0 {
		p, _ = d.Provider(all[int(step>>4)%len(all)].ID)
	}
	var r *providers.Route
	if all := d.Base().Routes; len(all) > 0 {
		r, _ = d.Route(all[int(step>>4)%len(all)].ID)
	}
	name := "new-" + strconv.Itoa(i)
	switch step % 8 {
	case 0:
		_, _ = d.CreateProvider(providers.Provider{Type: "sip", Name: name, Hostname: "x"})
	case 1:
		if p != nil {
			p.Name, p.Codecs, p.Detail = name, "", "a: b # c\n'"
			_, _ = d.ReplaceProvider(*p)
		}
	case 2:
		if p != nil {
			p.TechHeaders = append(p.TechHeaders, providers.Header{Name: "X-" + name, Value: "{y}, #"})
			p.Budgets.Answer, p.Failover.Next, p.Limits.CPS = time.Second, []string{"404"}, 0.5
			_, _ = d.ReplaceProvider(*p)
		}
	case 3:
		if p != nil {
			_, _ = d.CreateRoute(providers.Route{CustomerID: p.ID, ProviderID: p.ID, Target: "all", Weight: 1, Name: "- x"})
		}
	case 4:
		if r != nil && p != nil {
			r.ProviderID, r.Priority = p.ID, r.Priority+1
			_, _ = d.ReplaceRoute(*r)
		}
	case 5:
		if r != nil {
			_, _ = d.DeleteRoute(r.ID)
			return true
		}
	case 6:
		if p != nil {
			_, _ = d.DeleteProvider(p.ID)
			return true
		}
	case 7:
		if p != nil {
			*p = providers.Provider{ID: p.ID, Type: "sip", Name: p.Name, Hostname: p.Hostname}
			_, _ = d.ReplaceProvider(*p)
			return true
		}
	}
	return false
}

// commentsOf finds the lines of all comments of a file.
func commentsOf(content string) []string {
	var root yaml.Node
	if yaml.Unmarshal([]byte(content), &root) != nil {
		return nil
	}
	var found []string
	for _, c := range comments(&root, nil) {
		if c = strings.TrimSpace(c); c != "" {
			found = append(found, c)
		}
	}
	return found
}
