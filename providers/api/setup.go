package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/telnyx"
)

const (
	// setupTime bounds how long setting up may take; undoing it comes on top.
	setupTime = time.Minute

	// setupDeadline is by when a client must have read the answer.
	setupDeadline = 3 * time.Minute

	defaultSIPPort = 5060
	maxKey         = 1024 // Bytes.
)

// setupRequest asks for a provider with everything that its carrier needs.
type setupRequest struct {
	carrier, name, detail, key string
}

func readSetup(o *object) (setupRequest, error) {
	var q setupRequest
	o.required("carrier", &q.carrier)
	if q.carrier != "" && q.carrier != "telnyx" {
		o.wrong("carrier", "is not one that can be set up: telnyx")
	}
	o.required("name", &q.name)
	o.text("detail", &q.detail)
	before := len(*o.errs)
	if inner := o.object("credentials"); inner != nil {
		inner.required("api_key", &q.key)
		if len(q.key) > maxKey || strings.ContainsFunc(q.key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			inner.wrong("api_key", "is no API key")
		}
		_ = inner.done("credentials")
	} else if len(*o.errs) == before {
		o.wrong("credentials", missing)
	}
	return q, o.done("a setup")
}

// setup makes a trunk at a carrier and the provider that leads to it: both or nothing.
func (a *API) setup(x *exchange) (any, error) {
	o, err := x.object()
	if err != nil {
		return nil, err
	}
	q, err := readSetup(o)
	if err != nil {
		return nil, err
	}
	ours := a.telnyx.Load()
	if ours.FQDN == "" {
		return nil, invalidField("telnyx.sip_fqdn", "is missing in the configuration of the router")
	}
	port := ours.Port
	if port == 0 {
		port = defaultSIPPort
	}
	p := providers.Provider{
		Type: "sip", Name: q.name, Detail: q.detail, Hostname: telnyx.SIPHost, Enabled: true,
		Credentials: providers.Credentials{Username: "x", Password: "x"},
	}
	if err := a.canCreate(x.r.Context(), p); err != nil {
		return nil, err
	}
	// It takes longer than other requests may. Where the writer has no deadlines, none is in the way.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(setupDeadline))

	client := telnyx.New(ours.URL, q.key, ours.Transport)
	ctx, cancel := context.WithTimeout(x.r.Context(), setupTime)
	defer cancel()
	trunk, err := client.SetUp(ctx, telnyx.Order{Name: q.name, FQDN: ours.FQDN, Port: port})
	if err != nil {
		return nil, carrierFault(err)
	}
	p.Credentials = providers.Credentials{Username: trunk.Username, Password: trunk.Password}
	p.Metadata = map[string]string{
		"telnyx_profile_id":    trunk.ProfileID,
		"telnyx_connection_id": trunk.ConnectionID,
		"telnyx_fqdn_id":       trunk.FQDNID,
		"telnyx_fqdn":          net.JoinHostPort(ours.FQDN, strconv.Itoa(int(port))),
	}
	var made *providers.Provider
	err = a.change(x, func(d *providers.Draft) (err error) {
		made, err = d.CreateProvider(p)
		return err
	})
	if err != nil {
		f := *faultOf(err)
		f.addLeft(client.TearDown(x.r.Context(), trunk))
		return nil, &f
	}
	return a.providers().show(x, made, nil)
}

// canCreate finds out what would keep a provider from being saved, before anything is made elsewhere.
func (a *API) canCreate(ctx context.Context, p providers.Provider) error {
	c, err := a.store.Catalog(ctx)
	if err != nil {
		return errors.Join(err, errNotNewest(err))
	}
	_, err = providers.NewDraft(c, a.now()).CreateProvider(p)
	return err
}

// errNotNewest is why a catalog that is good to read cannot be written: it is broken, unless it is only away.
func errNotNewest(err error) error {
	if errors.Is(err, providers.ErrUnavailable) {
		return nil
	}
	return providers.ErrInvalid
}

// carrierFault is what a client gets when the carrier did not do its part.
func carrierFault(err error) *fault {
	f := &fault{
		code: http.StatusBadGateway, status: statusUnavailable, reason: "CARRIER_FAILED", cause: err,
		message: "The carrier could not be set up.",
	}
	if errors.Is(err, telnyx.ErrKeyRejected) {
		f.code, f.status, f.reason = http.StatusUnprocessableEntity, statusInvalidArgument, "CARRIER_CREDENTIALS_REJECTED"
		f.message = "The carrier rejected the supplied credentials."
	}
	if answer, ok := errors.AsType[*telnyx.APIError](err); ok {
		for _, p := range answer.Problems {
			f.details = append(f.details, detail{Field: p.Pointer, Message: strings.Join(strings.Fields(
				strings.Join([]string{p.Code, p.Title, p.Detail}, " ")), " ")})
		}
	}
	f.addLeft(err)
	return f
}

// addLeft names what is still at the carrier.
func (f *fault) addLeft(err error) {
	left, ok := errors.AsType[*telnyx.LeftError](err)
	if !ok {
		return
	}
	f.message += " This is " + left.Error() + "."
	for _, l := range left.Left {
		message := "It could not be removed at the carrier; remove it there."
		if l.ID == "" {
			message = "It may have been made at the carrier, whose answer was lost; look for " + strconv.Quote(l.Name) + " there."
		}
		f.details = append(f.details, detail{Resource: l.Kind, ID: l.ID, Message: message})
	}
}
