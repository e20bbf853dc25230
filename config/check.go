package config

// check finds what is wrong between keys that are right one by one.
func (d *decoder) check(c *Config) {
	d.checkListen(c)
	d.checkCatalog(&c.Catalog)
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		d.at("tls", "certificate and key go together; only one is given")
	}
	if (c.Admin.TLS.Certificate == "") != (c.Admin.TLS.Key == "") {
		d.at("admin.tls", "certificate and key go together; only one is given")
	}
	seen := make(map[string]bool)
	for _, t := range c.Admin.Tokens {
		if seen[t.Name] {
			d.at("admin.tokens", "the name %q is given twice", t.Name)
		}
		seen[t.Name] = true
	}
	seen = make(map[string]bool)
	for _, u := range c.Admin.Users {
		if seen[u.Name] {
			d.at("admin.users", "the name %q is given twice", u.Name)
		}
		seen[u.Name] = true
	}
}

func (d *decoder) checkListen(c *Config) {
	if len(c.SIP.Listen) == 0 && !d.wrongIn("sip.listen") {
		d.at("sip.listen", "is empty: a router needs a socket")
	}
	d.checkAdvertise(&c.SIP)
	for _, l := range c.SIP.Listen {
		if l.Transport == "tls" && (c.TLS.Certificate == "" || c.TLS.Key == "") {
			d.at("sip.listen", "%s needs tls.certificate and tls.key", l)
			break
		}
	}
}

func (d *decoder) checkCatalog(c *Catalog) {
	_, hasFile := d.lines["catalog.file"]
	_, hasPostgres := d.lines["catalog.postgres"]
	switch {
	case c.File != "" && c.Postgres != "":
		d.at("catalog", "file and postgres are both given; exactly one must be")
	case c.File == "" && c.Postgres == "":
		switch {
		case d.wrongIn("catalog"):
		case hasFile || hasPostgres:
			d.at("catalog", "file and postgres are both empty; exactly one must be given")
		default:
			c.File = "providers.yaml"
		}
	}
}

// at notes a problem with a key by its path.
func (d *decoder) at(path, format string, args ...any) {
	before := len(d.problems)
	d.add(nil, path, format, args...)
	d.problems[before].Line = lineOf(d.lines, path)
}

// wrongIn says whether a problem is already noted for path or below it, so that what follows from it is not noted
// as another.
func (d *decoder) wrongIn(path string) bool {
	for _, p := range d.problems {
		if len(p.Message) > len(path) && p.Message[:len(path)] == path {
			return true
		}
	}
	return false
}
