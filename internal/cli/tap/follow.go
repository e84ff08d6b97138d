package tap

import (
	"bufio"
	"context"
	"errors"
	"io"
	"sync"
)

// maxLine is the longest line that is read. Envoy limits headers to 60 KiB.
const maxLine = 1 << 20

// Pod is a pod with a sidecar.
type Pod struct{ Namespace, Name string }

// Result counts the lines of all pods.
type Result struct {
	// Events are lines of the access log in OSM's format, whether a filter selects them or not. Others are all other lines.
	Events, Others int
}

// Follow reads the logs of pods until ctx ends or all logs end. It calls event for each one that the filter selects, one at a time. open
// opens the log of a sidecar. The first log that cannot be opened ends the others.
func Follow(ctx context.Context, pods []Pod, filter Filter, open func(context.Context, Pod) (io.ReadCloser, error), event func(Event)) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var result Result
	var wait sync.WaitGroup
	for _, pod := range pods {
		wait.Go(func() {
			log, err := open(ctx, pod)
			if err != nil {
				cancel(err)
				return
			}
			defer log.Close()
			defer context.AfterFunc(ctx, func() { _ = log.Close() })()
			lines := bufio.NewScanner(log)
			lines.Buffer(nil, maxLine)
			for lines.Scan() {
				found, ok := Parse(pod.Namespace, pod.Name, lines.Bytes())
				mu.Lock()
				if ok {
					result.Events++
				} else {
					result.Others++
				}
				if ok && filter.Selects(found) {
					event(found)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return result, err
	}
	return result, nil
}
