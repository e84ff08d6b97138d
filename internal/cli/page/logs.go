package page

import (
	"bufio"
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
)

// Bounds on logs that are read at once.
const (
	parallelLogs = 5
	maxLogBytes  = 1 << 20
	maxLogLine   = 64 << 10
)

// LogOptions bound what is read of a log: its last lines, of a period before now.
type LogOptions struct {
	Since time.Duration
	Lines int64
}

// Logs opens the log of a sidecar. The log ends with its present end.
type Logs func(context.Context, tap.Sidecar, LogOptions) (io.ReadCloser, error)

// log is where the access log of a sidecar is.
func (s Sidecar) log() tap.Sidecar {
	return tap.Sidecar{Pod: tap.Pod{Namespace: s.Namespace, Name: s.Pod}, Slot: s.Slot}
}

// read returns the events in the logs of sidecars in their order, and the errors of logs that cannot be read.
func (open Logs) read(ctx context.Context, sidecars []tap.Sidecar, options LogOptions) (events []tap.Event, failures []error) {
	var mu sync.Mutex
	found := make([][]tap.Event, len(sidecars))
	group := errgroup.Group{}
	group.SetLimit(parallelLogs)
	for i, sidecar := range sidecars {
		group.Go(func() error {
			list, err := open.events(ctx, sidecar, options)
			mu.Lock()
			defer mu.Unlock()
			found[i] = list
			if err != nil {
				failures = append(failures, err)
			}
			return nil
		})
	}
	_ = group.Wait() // errors are in failures
	return slices.Concat(found...), failures
}

func (open Logs) events(ctx context.Context, sidecar tap.Sidecar, options LogOptions) ([]tap.Event, error) {
	log, err := open(ctx, sidecar, options)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var events []tap.Event
	lines := bufio.NewScanner(io.LimitReader(log, maxLogBytes))
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		if event, ok := tap.Parse(sidecar, lines.Bytes()); ok {
			events = append(events, event)
		}
	}
	return events, lines.Err()
}
