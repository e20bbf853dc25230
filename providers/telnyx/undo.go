package telnyx

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// kind is one kind of the things that make a trunk, in the order in which they are made.
type kind int

const (
	nothing kind = iota
	profile
	connection
	fqdn
	kinds
)

// String returns the kind as Telnyx's record_type has it.
func (k kind) String() string {
	return [kinds]string{profile: "outbound_voice_profile", connection: "fqdn_connection", fqdn: "fqdn"}[k]
}

func (k kind) path() string {
	return [kinds]string{profile: "/outbound_voice_profiles", connection: "/fqdn_connections", fqdn: "/fqdns"}[k]
}

// id returns where the id of a thing of the kind is kept.
func (t *Trunk) id(k kind) *string {
	return [kinds]*string{profile: &t.ProfileID, connection: &t.ConnectionID, fqdn: &t.FQDNID}[k]
}

// Left is something that is still at Telnyx and should not be.
type Left struct {
	Kind string // outbound_voice_profile, fqdn_connection or fqdn.
	ID   string // "" when the answer to making it was lost, so that it may be there or not.
	Name string // What to look for where there is no id.
}

func (l Left) String() string {
	if l.ID == "" {
		return fmt.Sprintf("perhaps %s %q", l.Kind, l.Name)
	}
	return l.Kind + " " + l.ID
}

// LeftError names what could not be removed.
type LeftError struct{ Left []Left }

// Error names what is left.
func (e *LeftError) Error() string {
	all := make([]string, len(e.Left))
	for i, l := range e.Left {
		all[i] = l.String()
	}
	return "left at the carrier: " + strings.Join(all, ", ")
}

// TearDown removes in reverse what was made, also when ctx is done: whoever asked may be gone, but what was made for
// them must go too. The error is a *LeftError that names what is still there.
func (c *Client) TearDown(ctx context.Context, t *Trunk) error {
	ctx = context.WithoutCancel(ctx)
	var left []Left
	for k := fqdn; k > nothing; k-- {
		id := *t.id(k)
		switch {
		case id == "" && t.doubtful == k:
			left = append(left, Left{Kind: k.String(), Name: t.names[k]})
		case id != "":
			if err := c.call(ctx, http.MethodDelete, k.path()+"/"+url.PathEscape(id), nil, nil, t); err != nil && !isGone(err) {
				left = append(left, Left{Kind: k.String(), ID: id, Name: t.names[k]})
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	return &LeftError{left}
}
