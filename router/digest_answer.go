package router

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/icholy/digest"

	"github.com/voipbin/dialrouter/router/message"
	"github.com/voipbin/dialrouter/router/transaction"
)

// logon is how an attempt shows its provider who we are. An attempt for a provider without credentials has none.
type logon struct {
	account *account
	repeats uint32          // How often the request was sent again for a challenge: its CSeq number is ahead by as much.
	proofs  []proof         // One for each realm that asked, or asked an earlier request.
	lines   []byte          // The header lines that prove it, once they are written.
	inside  transaction.Key // Where the renumbered have an INVITE within a dialog that was sent again.
	room    [2]proof
}

// proof is a nonce that a request carries the answer to.
type proof struct {
	*nonce

	early   bool // Nobody has asked this request for it yet.
	renewed bool // It came in the place of one that was stale.
}

// logOn begins a logon ahead of any challenge, with the nonces that the address gave before. prev is that of the attempt
// before at the same provider, nil for none. Without credentials it is nil.
func (c *account) logOn(prev *logon, at netip.AddrPort, now int64) *logon {
	if c == nil {
		return nil
	}
	l := &logon{account: c}
	if prev != nil {
		l.repeats = prev.repeats
	}
	l.proofs = c.known(l.room[:0], at, now)
	return l
}

// answering is the logon that answers challenges, as the next one after l; nil when that is of no use: our answer was
// refused, or the provider keeps asking.
func (l *logon) answering(asked []*nonce) *logon {
	if len(asked) == 0 || l.repeats == maxShift {
		return nil
	}
	next := &logon{account: l.account, repeats: l.repeats + 1}
	next.proofs = append(next.room[:0], l.proofs...)
	for _, n := range asked {
		i := slices.IndexFunc(next.proofs, func(p proof) bool { return n.asks(p.nonce) })
		if i < 0 {
			next.proofs = append(next.proofs, proof{nonce: n})
			continue
		}
		p := &next.proofs[i]
		if !p.early && (!n.Stale || p.renewed || n.Nonce == p.Nonce) {
			return nil
		}
		*p = proof{nonce: n, renewed: !p.early}
	}
	if len(next.proofs) > mostProofs {
		return nil
	}
	return next
}

// account is whose credentials an attempt may show, nil for none. Where a provider redirects us to gets them only if
// the realm was named in advance: it may be anybody.
func (t *try) account() *account {
	switch {
	case t.prov == nil, t.redirect != nil && t.prov.account != nil && t.prov.account.Realm == "":
		return nil
	default:
		return t.prov.account
	}
}

// authorize puts credentials into the request in w.buf, in the place of those that the caller has for the same realms.
func (w *worker) authorize(l *logon) {
	m := &w.made
	if l == nil || len(l.proofs) == 0 || m.Parse(w.buf) != nil {
		return
	}
	if l.lines == nil {
		for i := range l.proofs {
			l.lines = l.account.prove(l.lines, l.proofs[i].nonce, m)
		}
	}
	e := &w.edits
	e.Reset()
	for i := range m.Headers {
		h := &m.Headers[i]
		if (h.Kind == message.ProxyAuthorization || h.Kind == message.Authorization) && l.replaces(h.Kind, m.Bytes(h.Value)) {
			e.Delete(h.Line)
		}
	}
	e.Insert(m.HeadersEnd)
	e.Put(l.lines)
	w.buf, w.spare = e.Apply(w.spare[:0], w.buf), w.buf
}

// replaces says whether credentials in a request are for a realm that we have our own for.
func (l *logon) replaces(k message.Kind, value []byte) bool {
	c, err := digest.ParseCredentials(oneLine(value))
	return err == nil && slices.ContainsFunc(l.proofs, func(p proof) bool {
		return p.Realm == c.Realm && p.proxy == (k == message.ProxyAuthorization)
	})
}

// prove appends the header line that answers a challenge for a request.
func (c *account) prove(dst []byte, n *nonce, m *message.Message) []byte {
	cred, err := digest.Digest(&n.Challenge, digest.Options{
		Method:   string(m.Bytes(m.MethodText)),
		URI:      string(m.Bytes(m.URI)),
		GetBody:  func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.Body())), nil },
		Count:    int(n.count.Add(1)),
		Username: c.Username,
		Password: c.Password,
	})
	if err != nil {
		return dst // An algorithm that readChallenge lets nobody ask for.
	}
	name := "Authorization: "
	if n.proxy {
		name = "Proxy-Authorization: "
	}
	return append(append(append(dst, name...), cred.String()...), "\r\n"...)
}

// provedLocked looks at a final response to a request with a logon. It is true when that was a challenge, and the request
// is under way again with the answer: as a new transaction of the same attempt.
func (w *worker) provedLocked(c *call, a *attempt) bool {
	switch code := w.msg.Status; {
	case code < 300:
		w.learn(a)
		return false
	case code == 400, code == 403:
		a.auth.account.forget(a.flow.Remote) // It may be for a nonce that it did not want again.
		return false
	case !challenge(code), c.cancelled:
		return false
	}
	l := a.auth
	asked := w.challenges(l.account, a.flow.Remote)
	next := l.answering(asked)
	if next == nil {
		l.account.forget(a.flow.Remote)
		return false
	}
	for _, n := range asked {
		l.account.remember(n, w.now)
	}
	w.repeatLocked(c, a, next)
	return true
}

// learn takes the nonce that a provider wants next (RFC 7616 section 3.5) out of the response in w.msg.
func (w *worker) learn(a *attempt) {
	m := &w.msg
	for i := range m.Headers {
		h := &m.Headers[i]
		name := m.Bytes(h.Name)
		proxy := equalFold(name, "proxy-authentication-info")
		if h.Kind != message.Other || !proxy && !equalFold(name, "authentication-info") || h.Value.Len() > longestChallenge {
			continue
		}
		value, ok := nextNonce(m.Bytes(h.Value))
		for _, p := range a.auth.proofs {
			if ok && p.proxy == proxy && value != p.Nonce {
				n := &nonce{Challenge: p.Challenge, proxy: proxy, from: p.from, since: w.now}
				n.Nonce = value
				a.auth.account.remember(n, w.now)
				break
			}
		}
	}
}

// nextNonce reads nextnonce out of the value of an Authentication-Info header, which has the form of a challenge.
func nextNonce(value []byte) (string, bool) {
	_, rest, ok := strings.Cut(oneLine(value), "nextnonce")
	if !ok {
		return "", false
	}
	c, err := digest.ParseChallenge(digest.Prefix + "nonce" + rest)
	if err != nil {
		return "", false
	}
	return c.Nonce, c.Nonce != ""
}
