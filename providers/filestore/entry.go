package filestore

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// providerEntry is one entry of the list of providers as the file has it.
type providerEntry struct {
	providers.Provider // ID is Nil where the file has none.

	line int

	// The shorthand for routes: targets is what they lead to, also where only a priority is given.
	targets                 []target
	priority                int
	hasTargets, hasPriority bool
}

type target struct {
	text string // In its one spelling.
	line int
}

// The keys of entries. Those of a provider stand in the order in which an entry is written.
var (
	//nolint:gochecknoglobals // A table.
	providerKeys = []string{
		"name", "hostname", "type", "id", "detail", "tech_prefix", "tech_postfix", "tech_headers", "secret_headers", "codecs",
		"transport", "enabled", "raw_user", "follow_redirects", "budgets", "failover", "limits", "credentials", "health", "metadata",
		"priority", "targets",
	}
	//nolint:gochecknoglobals // A table.
	routeKeys    = []string{"target", "provider", "priority", "weight", "customer_id", "id", "name", "detail"}
	budgetKeys   = []string{"no_reply", "no_ringing", "answer"} //nolint:gochecknoglobals // A table.
	limitKeys    = []string{"calls", "cps"}                     //nolint:gochecknoglobals // A table.
	healthKeys   = []string{"probe", "interval", "up"}          //nolint:gochecknoglobals // A table.
	secretKeys   = []string{"username", "password", "realm"}    //nolint:gochecknoglobals // A table.
	documentKeys = []string{"providers", "routes"}              //nolint:gochecknoglobals // A table.
)

// provider reads entry i of the list of providers.
func (d *decoder) provider(i int, n *yaml.Node) providerEntry {
	d.entry("providers", i)
	e := providerEntry{line: n.Line + d.shift}
	e.Type, e.Enabled = "sip", true
	var secretHeaders []string
	d.mapping("", n, providerKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "name":
			d.text(&e.Name, path, v)
		case "hostname":
			d.word(&e.Hostname, path, v)
		case "type":
			d.word(&e.Type, path, v)
		case "id":
			d.id(&e.ID, path, v)
		case "detail":
			d.text(&e.Detail, path, v)
		case "tech_prefix":
			d.text(&e.TechPrefix, path, v)
		case "tech_postfix":
			d.text(&e.TechPostfix, path, v)
		case "tech_headers":
			d.techHeaders(&e.Provider, path, v)
		case "secret_headers":
			d.elements(path, v, func(path string, v *yaml.Node) {
				var name string
				if d.word(&name, path, v) {
					secretHeaders = append(secretHeaders, name)
				}
			})
		case "codecs":
			d.text(&e.Codecs, path, v)
		case "transport":
			d.word((*string)(&e.Transport), path, v)
		case "enabled":
			d.boolean(&e.Enabled, path, v)
		case "raw_user":
			d.boolean(&e.RawUser, path, v)
		case "follow_redirects":
			d.boolean(&e.FollowRedirects, path, v)
		case "budgets":
			d.budgets(&e.Budgets, path, v)
		case "failover":
			d.failover(&e.Failover, path, v)
		case "limits":
			d.limits(&e.Limits, path, v)
		case "credentials":
			d.credentials(&e.Credentials, path, v)
		case "health":
			d.probing(&e.Probing, path, v)
		case "metadata":
			d.metadata(&e.Provider, path, v)
		case "priority":
			d.integer(&e.priority, path, v)
			e.hasPriority = true
		case "targets":
			d.targets(&e, path, v)
			e.hasTargets = true
		default:
			return false
		}
		return true
	})
	if n.Kind != yaml.MappingNode {
		return e
	}
	if e.hasPriority && !e.hasTargets {
		e.targets = []target{{text: providers.TargetAll, line: e.line}}
	}
	d.markSecret(&e.Provider, n, secretHeaders)
	d.validate(n, e.Validate())
	if e.hasPriority || e.hasTargets {
		d.validate(n, shorthandRules(e.priority))
	}
	return e
}

// shorthandRules checks what an entry says about the routes it makes.
func shorthandRules(priority int) providers.FieldErrors {
	r := providers.Route{
		CustomerID: providers.Everyone, ProviderID: providers.Everyone, Target: providers.TargetAll,
		Priority: priority, Weight: providers.DefaultWeight,
	}
	return r.Validate()
}

// validate notes what breaks a rule of the domain, at the line of its key.
func (d *decoder) validate(n *yaml.Node, errs providers.FieldErrors) {
	for _, e := range errs {
		if slices.ContainsFunc(d.bad, func(bad string) bool { return covers(bad, e.Field) }) {
			continue
		}
		d.add(fieldLine(n, e.Field), "%s", d.full(e.Error()))
	}
}

// covers says whether a problem with the key bad already tells what is wrong with field.
func covers(bad, field string) bool {
	rest, ok := strings.CutPrefix(field, bad)
	if !ok {
		rest, ok = strings.CutPrefix(bad, field)
	}
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// fieldLine finds where in n a field such as "budgets.answer" or "tech_headers[X-A]" is written, or the nearest key
// around it.
func fieldLine(n *yaml.Node, field string) int {
	line := n.Line
	for _, name := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if at, err := strconv.Atoi(name); err == nil && n.Kind == yaml.SequenceNode && at < len(n.Content) {
			line, n = n.Content[at].Line, resolve(n.Content[at])
			continue
		}
		i := keyPlace(n, name)
		if i < 0 {
			break
		}
		line, n = n.Content[i].Line, resolve(n.Content[i+1])
	}
	return line
}

// keyPlace returns the index of a key of n, -1 if it has none of that name.
func keyPlace(n *yaml.Node, name string) int {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return i
			}
		}
	}
	return -1
}

func (d *decoder) techHeaders(p *providers.Provider, path string, n *yaml.Node) {
	if !d.isSecretMapping(path, n) {
		return
	}
	d.mapping(path, n, nil, func(name, path string, v *yaml.Node) bool {
		h := providers.Header{Name: name}
		d.secret(&h.Value, path, v)
		p.TechHeaders = append(p.TechHeaders, h)
		return true
	})
}

// markSecret marks the headers that secret_headers names.
func (d *decoder) markSecret(p *providers.Provider, n *yaml.Node, names []string) {
	for _, name := range names {
		i := slices.IndexFunc(p.TechHeaders, func(h providers.Header) bool { return strings.EqualFold(h.Name, name) })
		if i < 0 {
			d.add(fieldLine(n, "secret_headers"), "%s: %q is not among tech_headers", d.full("secret_headers"), providers.Clip(name))
			continue
		}
		p.TechHeaders[i].Secret = true
	}
}

func (d *decoder) metadata(p *providers.Provider, path string, n *yaml.Node) {
	d.mapping(path, n, nil, func(key, path string, v *yaml.Node) bool {
		var value string
		if d.text(&value, path, v) {
			if p.Metadata == nil {
				p.Metadata = make(map[string]string)
			}
			p.Metadata[key] = value
		}
		return true
	})
}

func (d *decoder) budgets(b *providers.Budgets, path string, n *yaml.Node) {
	d.mapping(path, n, budgetKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "no_reply":
			d.duration(&b.NoReply, path, v)
		case "no_ringing":
			d.duration(&b.NoRinging, path, v)
		case "answer":
			d.duration(&b.Answer, path, v)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) failover(f *providers.Failover, path string, n *yaml.Node) {
	d.mapping(path, n, failoverKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "next":
			f.Next = d.codes(path, v)
		case "after_ringing":
			var after bool
			if d.boolean(&after, path, v) {
				f.AfterRinging = &after
			}
		case "preset":
			d.word(&f.Preset, path, v)
		case "rules":
			f.Rules = []providers.Rule{}
			d.elements(path, v, func(path string, v *yaml.Node) {
				f.Rules = append(f.Rules, d.rule(path, v))
			})
		default:
			return false
		}
		return true
	})
}

func (d *decoder) probing(p *providers.Probing, path string, n *yaml.Node) {
	d.mapping(path, n, healthKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "probe":
			var probe bool
			if d.boolean(&probe, path, v) {
				p.Off = !probe
			}
		case "interval":
			d.duration(&p.Interval, path, v)
		case "up":
			p.Up = d.codes(path, v)
		default:
			return false
		}
		return true
	})
}

// codes reads status codes and classes.
func (d *decoder) codes(path string, n *yaml.Node) []string {
	all := []string{}
	d.elements(path, n, func(path string, v *yaml.Node) {
		var code string
		if d.text(&code, path, v) {
			all = append(all, strings.ToLower(code))
		}
	})
	return all
}

func (d *decoder) limits(l *providers.Limits, path string, n *yaml.Node) {
	d.mapping(path, n, limitKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "calls":
			d.integer(&l.Calls, path, v)
		case "cps":
			d.number(&l.CPS, path, v)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) credentials(c *providers.Credentials, path string, n *yaml.Node) {
	if !d.isSecretMapping(path, n) {
		return
	}
	d.mapping(path, n, secretKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "username":
			d.text(&c.Username, path, v)
		case "password":
			d.secret(&c.Password, path, v)
		case "realm":
			d.text(&c.Realm, path, v)
		default:
			return false
		}
		return true
	})
}

func (d *decoder) targets(e *providerEntry, path string, n *yaml.Node) {
	d.elements(path, n, func(path string, v *yaml.Node) {
		var s string
		if !d.text(&s, path, v) {
			return
		}
		text, err := providers.ParseTarget(s)
		if err != nil {
			d.wrong(v, path, "%q %s", providers.Clip(s), err)
			return
		}
		e.targets = append(e.targets, target{text: text, line: v.Line + d.shift})
	})
}
