package router

import (
	"fmt"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
)

// Unreached says why none of the sockets in a configuration can send to a provider, "" when one can as far as that is
// known without asking DNS.
func Unreached(cfg *config.Config, p *providers.Provider) string {
	q, err := query(p)
	if err != nil {
		return "" // Said elsewhere.
	}
	_, _, ip, _ := providers.ParseHostname(p.Hostname)
	transport := q.Transport
	if ours := listenTransports(cfg); transport == "" && ip.IsValid() && len(ours) > 0 {
		transport = ours[0] // As resolve has it for an address.
	}
	kind := false
	for _, l := range cfg.SIP.Listen {
		if transport != "" && l.Transport != transport {
			continue
		}
		kind = true
		if !ip.IsValid() || ip.Unmap().Is4() == l.Addr.Addr().Is4() {
			return ""
		}
	}
	switch {
	case !kind:
		return fmt.Sprintf("it takes calls over %s, and sip.listen has no %s:// socket to send them from", transport, transport)
	case ip.Unmap().Is4():
		return fmt.Sprintf("%s is IPv4, and sip.listen has no IPv4 socket for %s", ip, transport)
	default:
		return fmt.Sprintf("%s is IPv6, and sip.listen has no IPv6 socket for %s", ip, transport)
	}
}
