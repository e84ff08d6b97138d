package page

import (
	"bufio"
	"context"
	"io"
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

// Logs opens the log of the sidecar in a pod. The log ends with its present end.
type Logs func(context.Context, tap.Pod, LogOptions) (io.ReadCloser, error)

// read returns the events in the logs of pods in the order of pods, and the errors of logs that cannot be read.
func (open Logs) read(ctx context.Context, pods []tap.Pod, options LogOptions) (events []tap.Event, failures []error) {
	var mu sync.Mutex
	found := make([][]tap.Event, len(pods))
	group := errgroup.Group{}
	group.SetLimit(parallelLogs)
	for i, pod := range pods {
		group.Go(func() error {
			list, err := open.events(ctx, pod, options)
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
	for _, list := range found {
		events = append(events, list...)
	}
	return events, failures
}

func (open Logs) events(ctx context.Context, pod tap.Pod, options LogOptions) ([]tap.Event, error) {
	log, err := open(ctx, pod, options)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var events []tap.Event
	lines := bufio.NewScanner(io.LimitReader(log, maxLogBytes))
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		if event, ok := tap.Parse(pod.Namespace, pod.Name, lines.Bytes()); ok {
			events = append(events, event)
		}
	}
	return events, lines.Err()
}
