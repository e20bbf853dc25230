package config

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxSize bounds the file: a daemon's configuration is a few kilobytes, so what is larger is the wrong file.
const maxSize = 1 << 20

// Load reads the file at path. The Config is complete even when there are problems, and must not be used then. What
// the environment adds is the caller's to apply (see ApplyEnvironment).
func Load(path string) (*Config, []Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		return defaults(path), []Problem{{File: path, Line: 1, Message: "reading the configuration: " + reason(err)}}
	}
	return Parse(path, data)
}

// Parse reads a file's content. Paths in it are relative to the folder of name, which problems are reported under.
func Parse(name string, data []byte) (*Config, []Problem) {
	c := defaults(name)
	if len(data) > maxSize {
		return c, []Problem{{File: name, Line: 1, Message: fmt.Sprintf("larger than %d bytes", maxSize)}}
	}
	d := &decoder{file: name, lines: c.lines}
	if root := d.document(data); root != nil {
		d.mapping("", root, d.root(c))
	}
	d.check(c)
	c.finish()
	sortProblems(d.problems)
	return c, d.problems
}

func (d *decoder) root(c *Config) map[string]field {
	return map[string]field{
		"sip":      d.section(d.sip(&c.SIP)),
		"tls":      d.section(d.tls(&c.TLS)),
		"catalog":  d.section(d.catalog(&c.Catalog)),
		"codecs":   d.text(&c.Codecs, nil),
		"numbers":  d.section(d.numbers(&c.Numbers)),
		"budgets":  d.section(d.budgets(&c.Budgets)),
		"failover": d.section(d.failover(&c.Failover)),
		"drain":    d.durationOrZero(&c.Drain, time.Millisecond, time.Hour),
		"health":   d.section(d.health(&c.Health)),
		"calls":    d.section(d.calls(&c.Calls)),
		"admin":    d.section(d.admin(&c.Admin)),
		"telnyx":   d.section(d.telnyx(&c.Telnyx)),
		"log":      d.section(d.log(&c.Log)),
	}
}

func (d *decoder) section(fields map[string]field) field {
	return func(path string, n *yaml.Node) { d.mapping(path, n, fields) }
}

func (d *decoder) sip(s *SIP) map[string]field {
	return map[string]field{
		"listen": func(path string, n *yaml.Node) {
			s.Listen = nil
			d.list(d.listen(&s.Listen))(path, n)
		},
		"advertise": d.advertise(s),
		"allow": func(path string, n *yaml.Node) {
			s.Allow = []netip.Prefix{}
			d.list(d.prefix(&s.Allow))(path, n)
		},
		"workers":          d.integer(&s.Workers, 0, 1024),
		"preloaded_routes": d.boolean(&s.PreloadedRoutes),
		"max_calls":        d.integer(&s.MaxCalls, 1, 10_000_000),

		"max_connections":    d.integer(&s.MaxConnections, 1, 100_000),
		"source_connections": d.integer(&s.SourceConnections, 1, 100_000),
		"source_rate":        d.integer(&s.SourceRate, 0, 1_000_000),

		"route_key_file": d.text(&s.RouteKeyFile, filePath),
	}
}

func (d *decoder) tls(t *TLS) map[string]field {
	return map[string]field{
		"certificate": d.text(&t.Certificate, filePath),
		"key":         d.text(&t.Key, filePath),
		"ca":          d.text(&t.CA, filePath),
		"wildcards":   d.boolean(&t.Wildcards),
	}
}

func (d *decoder) catalog(c *Catalog) map[string]field {
	return map[string]field{
		"file":     d.text(&c.File, filePath),
		"postgres": d.secret(&c.Postgres, postgresURL),
	}
}

func (d *decoder) numbers(v *Numbers) map[string]field {
	return map[string]field{
		"international_prefixes": d.list(func(path string, n *yaml.Node) {
			var prefix string
			d.digits(&prefix, dialPrefix)(path, n)
			if prefix != "" {
				v.InternationalPrefixes = append(v.InternationalPrefixes, prefix)
			}
		}),
	}
}

func (d *decoder) budgets(b *Budgets) map[string]field {
	return map[string]field{
		"no_reply":     d.duration(&b.NoReply, 5*time.Minute),
		"no_ringing":   d.duration(&b.NoRinging, 5*time.Minute),
		"answer":       d.duration(&b.Answer, time.Hour),
		"setup":        d.duration(&b.Setup, time.Hour),
		"max_attempts": d.integer(&b.MaxAttempts, 1, 100),
	}
}

func (d *decoder) failover(f *Failover) map[string]field {
	return map[string]field{
		"next": func(path string, n *yaml.Node) {
			f.Next = []string{}
			d.list(func(path string, n *yaml.Node) {
				var code string
				d.digits(&code, failureCode)(path, n)
				if code != "" {
					f.Next = append(f.Next, strings.ToLower(code))
				}
			})(path, n)
		},
		"after_ringing": d.boolean(&f.AfterRinging),
		"preset":        d.text(&f.Preset, nil),
		"rules":         d.list(d.rule(&f.Rules)),
	}
}

func (d *decoder) rule(all *[]FailoverRule) field {
	return func(path string, n *yaml.Node) {
		var r FailoverRule
		d.mapping(path, n, map[string]field{
			"code": d.digits(&r.Code, nil), "cause": d.integer(&r.Cause, 1, 127), "reason": d.digits(&r.Reason, nil),
			"header": d.text(&r.Header, nil), "then": d.text(&r.Then, nil), "as": d.text(&r.As, nil),
			"for": d.duration(&r.For, 10*time.Minute),
		})
		r.Code = strings.ToLower(r.Code)
		*all = append(*all, r)
	}
}

func (d *decoder) health(h *Health) map[string]field {
	return map[string]field{
		"interval":   d.durationOrZero(&h.Interval, 10*time.Millisecond, 24*time.Hour),
		"timeout":    d.duration(&h.Timeout, time.Minute),
		"down_after": d.integer(&h.DownAfter, 1, 1000),
		"up_after":   d.integer(&h.UpAfter, 1, 1000),
		"failures":   d.integer(&h.Failures, 0, 1000),
		"quality":    d.section(d.quality(&h.Quality)),
	}
}

func (d *decoder) quality(q *Quality) map[string]field {
	return map[string]field{
		"min_samples": d.integer(&q.MinSamples, 0, 1_000_000),
		"margin":      d.integer(&q.Margin, 0, 99),
	}
}

func (d *decoder) admin(a *Admin) map[string]field {
	return map[string]field{
		"listen": d.text(&a.Listen, adminAddress),
		"tls": d.section(map[string]field{
			"certificate": d.text(&a.TLS.Certificate, filePath), "key": d.text(&a.TLS.Key, filePath),
		}),
		"tokens": d.list(d.token(&a.Tokens)),
		"users":  d.list(d.user(&a.Users)),
	}
}

func (d *decoder) token(all *[]Token) field {
	return func(path string, n *yaml.Node) {
		if !d.isSecretMapping(path, n) {
			return
		}
		t := Token{Permission: PermissionSuperAdmin}
		var sum string
		d.mapping(path, n, map[string]field{
			"name": d.text(&t.Name, entryName), "sha256": d.secret(&sum, sha256Hex), "permission": d.permission(&t.Permission),
		})
		d.required(n, path, "name", "sha256")
		if _, err := hex.Decode(t.SHA256[:], []byte(sum)); err == nil && sum != "" && t.Name != "" {
			*all = append(*all, t)
		}
	}
}

func (d *decoder) user(all *[]User) field {
	return func(path string, n *yaml.Node) {
		if !d.isSecretMapping(path, n) {
			return
		}
		u := User{Permission: PermissionSuperAdmin}
		d.mapping(path, n, map[string]field{
			"name": d.text(&u.Name, entryName), "password": d.secret(&u.Password, argon2id), "permission": d.permission(&u.Permission),
		})
		d.required(n, path, "name", "password")
		if u.Name != "" && u.Password != "" {
			*all = append(*all, u)
		}
	}
}

func (d *decoder) permission(dst *string) field { return d.text(dst, oneOf(Permissions()...)) }

// isSecretMapping is for an entry that has a secret in it: what stands there instead may be one.
func (d *decoder) isSecretMapping(path string, n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		return true
	}
	d.add(n, path, "a mapping must stand here (the value is kept out of this message)")
	return false
}

// required notes the keys that an entry of a list must have and has not.
func (d *decoder) required(n *yaml.Node, path string, keys ...string) {
	for _, key := range keys {
		if _, ok := d.lines[path+"."+key]; !ok {
			d.add(n, path+"."+key, "is missing")
		}
	}
}

func (d *decoder) telnyx(t *Telnyx) map[string]field {
	return map[string]field{
		"url": func(path string, n *yaml.Node) {
			if strings.Contains(n.Value, "@") {
				d.secret(&t.URL, apiURL)(path, n) // Somebody wrote a password into it.
				return
			}
			d.text(&t.URL, apiURL)(path, n)
		},
		"sip_fqdn": d.hostPort(&t.SIPFQDN),
	}
}

func (d *decoder) log(l *Log) map[string]field {
	return map[string]field{
		"level": func(path string, n *yaml.Node) {
			var name string
			d.text(&name, oneOf("debug", "info", "warn", "error"))(path, n)
			if name != "" {
				l.Level = map[string]slog.Level{
					"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
				}[name]
			}
		},
		"format": d.text(&l.Format, oneOf("text", "json")),
	}
}

// finish makes paths absolute and fills what depends on other keys.
func (c *Config) finish() {
	folder := filepath.Dir(c.file)
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute
	}
	for _, path := range []*string{&c.SIP.RouteKeyFile, &c.TLS.Certificate, &c.TLS.Key, &c.TLS.CA, &c.Admin.TLS.Certificate, &c.Admin.TLS.Key, &c.Catalog.File, &c.Calls.File} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
	if c.SIP.RouteKeyFile == "" {
		if c.Catalog.File != "" {
			folder = filepath.Dir(c.Catalog.File)
		}
		c.SIP.RouteKeyFile = filepath.Join(folder, "route.key")
	}
}
