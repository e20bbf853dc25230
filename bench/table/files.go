package table

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Hosts says where the three kinds of provider listen.
type Hosts struct {
	Answers, Busy, Silent netip.AddrPort
}

// Of returns the address of a kind.
func (h Hosts) Of(k Kind) netip.AddrPort {
	switch k {
	case Busy:
		return h.Busy
	case Silent:
		return h.Silent
	default:
		return h.Answers
	}
}

// WriteDBText writes the table as Kamailio's db_text module reads it. The value of a prefix holds both choices:
// tech prefix, a comma, host and port, for the first and, after a bar, for the second.
func (t *Table) WriteDBText(dir string, h Hosts) error {
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	leg := func(i int) string {
		p := t.Providers[i]
		return p.TechPrefix + "," + h.Of(p.Kind).String()
	}
	var b bytes.Buffer
	b.WriteString("id(int,auto) tprefix(string) tvalue(string) \n")
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "%d:%s:%s\n", i+1, r.Prefix, escape.Replace(leg(r.First)+"|"+leg(r.Second)))
	}
	const versions = "id(int,auto) table_name(string) table_version(int) \n1:version:1\n2:mtree:1\n"
	return write(dir, map[string][]byte{"mtree": b.Bytes(), "version": []byte(versions)})
}

// WriteProviders writes the table as dialrouter's providers.yaml.
func (t *Table) WriteProviders(dir string, h Hosts) error {
	var b bytes.Buffer
	b.WriteString("providers:\n")
	for _, p := range t.Providers {
		fmt.Fprintf(&b, "  - name: %s\n    hostname: %s\n    transport: udp\n    tech_prefix: %q\n", p.Name, h.Of(p.Kind), p.TechPrefix)
		fmt.Fprintf(&b, "    tech_headers: {X-Account: %q, X-Trace-Id: %q}\n    codecs: PCMU,PCMA\n", Account, Trace)
	}
	b.WriteString("routes:\n")
	for _, r := range t.Routes {
		for priority, i := range []int{r.First, r.Second} {
			fmt.Fprintf(&b, "  - {target: \"+%s\", provider: %s, priority: %d}\n", r.Prefix, t.Providers[i].Name, priority+1)
		}
	}
	return write(dir, map[string][]byte{"providers.yaml": b.Bytes()})
}

func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
	}
	return nil
}
