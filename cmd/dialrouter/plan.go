package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/voipbin/dialrouter/providers"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// plan says what would become of a call to a number, without placing it.
func plan(env environment, args []string) error {
	var path, customer, offer string
	var asJSON bool
	rest, err := flags(env, "plan", args, func(fs *flag.FlagSet) {
		configFlag(fs, &path)
		fs.StringVar(&customer, "customer", "", "whose routes")
		fs.StringVar(&offer, "sdp", "", "a file with the offer; - for standard input")
		fs.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("%w: one NUMBER is needed, %d given", errUsage, len(rest))
	}
	req := providers.PlanRequest{Number: rest[0]}
	if customer != "" {
		if req.Customer, err = uuid.Parse(customer); err != nil {
			return fmt.Errorf("%w: --customer %q: %w", errUsage, customer, err)
		}
	}
	if req.SDP, err = readOffer(offer); err != nil {
		return err
	}
	cfg, cat, err := loadBoth(env, path)
	if err != nil {
		return err
	}
	p, err := dialrouter.DryRun(context.Background(), cfg, cat, &req)
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(env.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(p)
	}
	printPlan(env.stdout, p)
	return nil
}

func readOffer(name string) ([]byte, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return io.ReadAll(os.Stdin)
	default:
		return os.ReadFile(name)
	}
}

// printPlan writes a plan for people.
func printPlan(w io.Writer, p *providers.Plan) {
	fmt.Fprintf(w, "number %s\n", p.Number)
	for i, a := range p.Attempts {
		fmt.Fprintf(w, "\n%d. %s (%s)\n", i+1, a.ProviderName, a.ProviderID)
		fmt.Fprintf(w, "   why          %s\n", a.Reason)
		fmt.Fprintf(w, "   Request-URI  %s\n", a.RequestURI)
		fmt.Fprintf(w, "   destination  %s\n", a.Destination)
		for _, h := range a.Headers {
			fmt.Fprintf(w, "   header       %s: %s\n", h.Name, h.Value)
		}
		for line := range strings.Lines(a.SDP) {
			fmt.Fprintf(w, "   sdp          %s\n", strings.TrimRight(line, "\r\n"))
		}
	}
	for _, s := range p.Skipped {
		name := s.ProviderName
		if name == "" {
			name = s.ProviderID.String()
		}
		fmt.Fprintf(w, "\nskipped %s: %s\n", name, s.Reason)
	}
	if p.FinalStatus != 0 {
		fmt.Fprintf(w, "\nnobody can be tried: the caller gets %d\n", p.FinalStatus)
	}
}
