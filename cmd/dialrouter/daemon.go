package main

import (
	"context"
	"log/slog"
	"os"
	"syscall"

	"github.com/voipbin/dialrouter/config"
	dialrouter "github.com/voipbin/dialrouter/router"
)

// daemon is a running router and what signals do to it.
type daemon struct {
	env    environment
	path   string         // Of the configuration.
	cfg    *config.Config // In force.
	router *dialrouter.Router
	admin  *admin
	log    *slog.Logger
	level  *slog.LevelVar
}

// wait acts on signals until one ends the program.
func (d *daemon) wait(signals <-chan os.Signal) {
	for s := range signals {
		switch s {
		case syscall.SIGHUP:
			d.reload()
		case syscall.SIGINT:
			return
		default:
			d.drain(signals)
			return
		}
	}
}

// reload reads the configuration and the catalog again. Each part is taken or refused for itself, and what is refused
// is said: a broken catalog is no reason to leave a lost token good, nor the other way round.
func (d *daemon) reload() {
	ctx := context.Background()
	next, err := loadConfig(d.env, d.path)
	if err != nil {
		d.admin.trouble.Store(true)
		d.log.Error("the old configuration stays in force", "error", "see the problems above")
		if err := d.router.Reload(ctx); err == nil { // Else the router says so.
			d.log.Info("catalog reloaded", "revision", d.router.Revision())
		}
		return
	}
	ofConfig, ofCatalog := d.router.Reconfigure(ctx, next)
	if ofConfig != nil {
		d.log.Error("the old configuration stays in force", "error", ofConfig)
	} else {
		d.cfg = next
		d.level.Set(next.Log.Level)
		if ofConfig = d.admin.configure(next); ofConfig != nil {
			d.log.Error("the old tokens and users stay in force", "error", ofConfig)
		} else {
			d.log.Info("configuration reloaded")
		}
	}
	d.admin.trouble.Store(ofConfig != nil)
	if ofCatalog == nil { // Else the router says so.
		d.log.Info("catalog reloaded", "revision", d.router.Revision())
	}
}

// drain refuses new calls and waits for those being set up; a second signal ends it at once.
func (d *daemon) drain(signals <-chan os.Signal) {
	d.log.Info("draining", "calls_in_progress", d.router.CallsInProgress(), "limit", d.cfg.Drain)
	ctx, cancel := context.WithTimeout(context.Background(), d.cfg.Drain)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- d.router.Drain(ctx) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				d.log.Warn("drain ended early", "calls_lost", d.router.CallsInProgress())
			}
			return
		case s := <-signals:
			if s != syscall.SIGHUP {
				return
			}
		}
	}
}
