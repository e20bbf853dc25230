package filestore

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

var (
	//nolint:gochecknoglobals // A table.
	failoverKeys = []string{"preset", "rules", "next", "after_ringing"}
	//nolint:gochecknoglobals // A table.
	ruleKeys = []string{"code", "cause", "reason", "header", "then", "for", "as"}
)

func (d *decoder) rule(path string, n *yaml.Node) (r providers.Rule) {
	d.mapping(path, n, ruleKeys, func(key, path string, v *yaml.Node) bool {
		switch key {
		case "code":
			if d.text(&r.Code, path, v) {
				r.Code = strings.ToLower(r.Code)
			}
		case "cause":
			d.integer(&r.Cause, path, v)
		case "reason":
			d.text(&r.Reason, path, v)
		case "header":
			d.word(&r.Header, path, v)
		case "then":
			d.word((*string)(&r.Then), path, v)
		case "for":
			d.duration(&r.For, path, v)
		case "as":
			d.word(&r.As, path, v)
		default:
			return false
		}
		return true
	})
	return r
}

// ruleFields returns the keys of a rule in the order in which they are written.
func ruleFields(r *providers.Rule) []fieldValue {
	return []fieldValue{
		field("code", r.Code, ""), // Plain, though it looks like a number.
		field("cause", strconv.Itoa(r.Cause), "0"),
		textField("reason", r.Reason, `""`),
		textField("header", r.Header, `""`),
		textField("then", string(r.Then), ""),
		field("for", durationText(r.For), "0s"),
		textField("as", r.As, `""`),
	}
}
