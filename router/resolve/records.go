package resolve

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxAliases is how many CNAMEs in a row are followed. Public chains have up to five.
const maxAliases = 10

var errAliases = errors.New("its CNAMEs lead nowhere")

// records is what DNS has of one name and type.
type records struct {
	answer []dns.RR // Of the type asked for, owned by the name or by what it is an alias of; may be empty.
	extra  []dns.RR // The additional section.
	ttl    time.Duration
	err    error // DNS did not say.
}

// lookup asks for the records of a type that a name has, and follows aliases. Nothing there is an answer too; absent
// tells for how long it counts when the reply does not say.
func (c *client) lookup(ctx context.Context, name string, qtype uint16, absent time.Duration) records {
	ttl := time.Duration(1<<63 - 1)
	name = dns.Fqdn(name)
	for aliases := 0; ; {
		reply, err := c.exchange(ctx, name, qtype)
		if err != nil {
			return records{err: err}
		}
		asked := name
		for {
			answer := owned(reply.Answer, name, qtype)
			if len(answer) > 0 {
				return records{answer: answer, extra: reply.Extra, ttl: leastTTL(ttl, answer)}
			}
			alias := owned(reply.Answer, name, dns.TypeCNAME)
			if len(alias) == 0 {
				break
			}
			if aliases++; aliases > maxAliases {
				return records{err: errAliases}
			}
			cname, ok := alias[0].(*dns.CNAME)
			if !ok || cname.Target == "" {
				return records{err: errAliases}
			}
			name, ttl = cname.Target, leastTTL(ttl, alias[:1])
		}
		// The chain may lead out of this reply, when the server did not follow it to the end.
		if strings.EqualFold(name, asked) || reply.Rcode == dns.RcodeNameError || soaTTL(reply) >= 0 {
			if t := soaTTL(reply); t >= 0 {
				absent = t
			}
			return records{ttl: min(ttl, absent)}
		}
	}
}

// owned returns the records of a type that name owns.
func owned(section []dns.RR, name string, rrtype uint16) []dns.RR {
	var out []dns.RR
	for _, rr := range section {
		h := rr.Header()
		if h.Rrtype == rrtype && h.Class == dns.ClassINET && strings.EqualFold(h.Name, name) {
			out = append(out, rr)
		}
	}
	return out
}

// leastTTL is the least of ttl and those of the records.
func leastTTL(ttl time.Duration, section []dns.RR) time.Duration {
	for _, rr := range section {
		ttl = min(ttl, seconds(rr.Header().Ttl))
	}
	return ttl
}

// seconds reads a time to live. RFC 2181 section 8: one with the highest bit set counts as zero.
func seconds(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// soaTTL is how long a reply without records counts (RFC 2308 section 5), or -1 when it does not say.
func soaTTL(reply *dns.Msg) time.Duration {
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(seconds(soa.Hdr.Ttl), seconds(soa.Minttl))
		}
	}
	return -1
}
