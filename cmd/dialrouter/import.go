package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/voipbin/dialrouter/providers"
)

// importCatalog takes providers and routes from what VoIPBIN's API lists into the catalog, all or nothing, and says what
// changed.
func importCatalog(env environment, args []string) error {
	var path string
	var dry bool
	sources, err := flags(env, "import", args, func(fs *flag.FlagSet) {
		configFlag(fs, &path)
		fs.BoolVar(&dry, "dry-run", false, "only say what would change")
	})
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("%w: a FILE or URL is missing", errUsage)
	}
	cfg, cat, err := loadBoth(env, path)
	if err != nil {
		return err
	}
	var all imported
	for _, source := range sources {
		if err := readSource(env, source, &all); err != nil {
			return err
		}
	}
	if dry {
		var told importReport
		if err := all.apply(providers.NewDraft(cat, time.Now()), &told); err != nil {
			return told.failed(env.stderr, err)
		}
		told.print(env.stdout)
		fmt.Fprintln(env.stdout, "dry run: nothing was written")
		return nil
	}
	store, err := openCatalog(context.Background(), cfg, path, logger(env.stderr, cfg.Log.Format, cfg.Log.Level))
	if err != nil {
		return err
	}
	var told importReport
	_, err = store.Update(context.Background(), providers.Actor{Name: "dialrouter import"}, func(d *providers.Draft) error {
		told = importReport{} // It may be called again upon a newer catalog.
		return all.apply(d, &told)
	})
	if err = errors.Join(err, store.Close()); err != nil {
		return told.failed(env.stderr, err)
	}
	told.print(env.stdout)
	return nil
}

// readSource reads a file, standard input (-) or a URL.
func readSource(env environment, source string, all *imported) error {
	if isURL(source) {
		return fetchAll(env, source, all)
	}
	if source == "-" {
		return all.read("standard input", os.Stdin)
	}
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	return all.read(source, f)
}

// importReport is what an import does, in lines for people.
type importReport struct {
	lines    []string
	problems []string
	counts   [2]struct{ created, replaced, unchanged, leftOut int } // Of providers and routes.
}

// Places in the counts.
const (
	countProviders = iota
	countRoutes
)

func (r *importReport) addf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *importReport) problem(kind providers.Kind, id string, err error) {
	r.problems = append(r.problems, fmt.Sprintf("%s %s: %v", kind, id, err))
}

func (r *importReport) print(w io.Writer) {
	for _, line := range r.lines {
		fmt.Fprintln(w, line)
	}
	for i, kind := range []string{"providers", "routes"} {
		c := r.counts[i]
		fmt.Fprintf(w, "%s: %d created, %d replaced, %d unchanged, %d left out\n", kind, c.created, c.replaced, c.unchanged, c.leftOut)
	}
}

// errImport is that something cannot be imported; what, the report has.
var errImport = errors.New("nothing was imported")

// failed says what is wrong.
func (r *importReport) failed(w io.Writer, err error) error {
	if !errors.Is(err, errImport) {
		return err
	}
	for _, p := range r.problems {
		fmt.Fprintln(w, p)
	}
	return fmt.Errorf("%w: %d entries are not valid here", errImport, len(r.problems))
}
