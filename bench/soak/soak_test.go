//go:build linux

package soak_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voipbin/dialrouter/bench/soak"
)

// asNode is the variable that makes this program a router with short timers, as the command soak is by an argument.
const asNode = "DIALROUTER_SOAK_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		if err := soak.Serve(ctx, os.Args[len(os.Args)-1], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	// All at once: they wait far more than they compute.
	if err := flag.Set("test.parallel", strconv.Itoa(len(soak.Names()))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestSurvival runs the short forms side by side: they wait more than they work.
func TestSurvival(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "dialrouter")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/voipbin/dialrouter/cmd/dialrouter")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("items", func(t *testing.T) { // The binary goes when all are done.
		for _, name := range soak.Names() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var log bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				figures, err := soak.Run(ctx, name, soak.Options{
					Binary: binary, Self: []string{"env", asNode + "=1", self}, Short: true, Log: &log,
				})
				var table bytes.Buffer
				soak.Print(&table, figures)
				t.Logf("\n%s%s", &table, &log)
				if err != nil {
					t.Error(err)
				}
				for _, f := range figures {
					if f.Failed {
						t.Errorf("%s: %s, want %s", f.What, f.Got, f.Want)
					}
				}
			})
		}
	})
}

// TestUnknownItem names what there is.
func TestUnknownItem(t *testing.T) {
	if _, err := soak.Run(t.Context(), "luck", soak.Options{}); err == nil {
		t.Error("there is an item called luck")
	}
}
