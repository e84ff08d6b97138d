package demo

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
)

// shopper sends requests to the bookstore, cycles through its paths, and counts the outcomes.
type shopper struct {
	visitor  *Visitor
	paths    []string
	tally    *Tally
	progress *progress
	log      *slog.Logger

	next atomic.Int64
	last sync.Map // path -> earlier outcome, so that only changes are logged
}

// Bookbuyer buys books, which the demo's policies allow. It runs until ctx is done.
func Bookbuyer(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	return runShopper(ctx, "bookbuyer", args, getenv, log, PathBuyBook, PathBooksBought)
}

// Bookthief takes books, which the demo's policies deny until they are changed. It runs until ctx is done.
func Bookthief(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	return runShopper(ctx, "bookthief", args, getenv, log, PathBuyBook)
}

func runShopper(ctx context.Context, app string, args []string, getenv func(string) string, log *slog.Logger, paths ...string) error {
	s, err := ParseSettings(app, args, getenv)
	if err != nil {
		return err
	}
	sh := &shopper{
		visitor:  NewVisitor(app, s.Bookstore, Client(s.KeepAlive, s.Timeout)),
		paths:    paths,
		tally:    NewTally(app),
		progress: &progress{goal: s.Goal, log: log},
		log:      log,
	}
	var loops sync.WaitGroup
	defer loops.Wait()
	loopCtx, stop := context.WithCancel(ctx)
	defer stop()
	for range max(s.Concurrency, 1) {
		loops.Go(func() {
			Every(loopCtx, s.Pace, func(ctx context.Context) {
				if !sh.visit(ctx) {
					stop()
				}
			})
		})
	}
	web := NewWeb(func() Page { return shopperPage(sh.tally.Counters()) }, func() any { return sh.tally.Counters() })
	return Serve(ctx, s, web, log)
}

// visit sends the next request and reports whether to continue. A request that has started is not canceled when the
// program stops, because it would count as a failure.
func (s *shopper) visit(ctx context.Context) bool {
	n := s.next.Add(1) - 1
	v := s.visitor.Get(context.WithoutCancel(ctx), s.paths[int(n)%len(s.paths)])
	s.tally.Add(v)
	if before, _ := s.last.Swap(v.Path, v.Outcome); before != v.Outcome {
		s.log.Info("outcome changed", "path", v.Path, "outcome", v.Outcome, "identity", v.Identity)
	}
	return s.progress.add(v.Outcome)
}
