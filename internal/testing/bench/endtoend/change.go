package endtoend

import (
	"context"
	"fmt"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// changes makes changes of a kind, one after the other, and then waits until the control plane has written the status of all.
func (b *bench) changes(ctx context.Context, kind mesh.Kind) (*Change, error) {
	idle, err := b.idle(ctx)
	if err != nil {
		return nil, err
	}
	begun, err := b.controller.usage()
	if err != nil {
		return nil, err
	}
	before, sent := time.Now(), b.fleet.Traffic().Bytes
	out := &Change{Kind: kind}
	for range b.Changes {
		took, needless, err := b.change(ctx, kind)
		if err != nil {
			return nil, err
		}
		out.Times, out.Needless = append(out.Times, took), max(out.Needless, needless)
	}
	written, err := b.quiet(ctx)
	if err != nil {
		return nil, err
	}
	ended, err := b.controller.usage()
	if err != nil {
		return nil, err
	}
	n := time.Duration(b.Changes)
	out.CPU = max(0, ended.CPU-begun.CPU-time.Duration(idle.share*float64(time.Since(before)))) / n
	out.Bytes = float64(b.fleet.Traffic().Bytes-sent) / float64(n)
	out.Status, out.Events = (written.status-idle.writes.status)/float64(n), (written.events-idle.writes.events)/float64(n)
	slices.Sort(out.Times)
	return out, nil
}

// change makes one change, and returns how long it took and how many sidecars it updated without need.
func (b *bench) change(ctx context.Context, kind mesh.Kind) (took time.Duration, needless int, err error) {
	next := b.mesh.Next(kind)
	differences, err := b.oracle.Apply(next)
	if err != nil {
		return 0, 0, err
	}
	var writes []write
	for _, c := range next.Changes {
		one, err := b.cluster.prepare(ctx, c.Entry)
		if err != nil {
			return 0, 0, err
		}
		writes = append(writes, one)
	}
	wait := b.fleet.Expect(differences)
	begun := time.Now()
	for _, one := range writes {
		if err := one(ctx); err != nil {
			return 0, 0, err
		}
	}
	if err := b.awaitResources(wait, changeLimit); err != nil {
		return 0, 0, err
	}
	took = time.Since(begun)
	_, needless = b.fleet.Touched(differences)
	return took, needless, nil
}

// idle is the state before changes.
type idle struct {
	writes writes
	// share is the share of a core that the controller uses without changes.
	share float64
}

// idle waits until the control plane writes nothing, and measures what it uses then.
func (b *bench) idle(ctx context.Context) (idle, error) {
	written, err := b.quiet(ctx)
	if err != nil {
		return idle{}, err
	}
	before, err := b.controller.usage()
	if err != nil {
		return idle{}, err
	}
	begun := time.Now()
	time.Sleep(quiet)
	after, err := b.controller.usage()
	return idle{written, float64(after.CPU-before.CPU) / float64(time.Since(begun))}, err
}

// quiet waits until the control plane has written nothing for a while.
func (b *bench) quiet(ctx context.Context) (writes, error) {
	last, err := b.cluster.writes(ctx)
	for err == nil {
		time.Sleep(quiet)
		var now writes
		if now, err = b.cluster.writes(ctx); now == last {
			break
		}
		last = now
	}
	return last, err
}

// requestsMetric counts the requests to the API server.
const requestsMetric = "apiserver_request_total"

// writes counts what the control plane has written.
type writes struct{ status, events float64 }

// writes returns how many requests have written the status of policies, and Events, so far, as the API server counts them.
func (c *cluster) writes(ctx context.Context) (writes, error) {
	clients, err := kubernetes.NewForConfig(c.environment.Config)
	if err != nil {
		return writes{}, err
	}
	stream, err := clients.Discovery().RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return writes{}, fmt.Errorf("the API server's metrics cannot be read: %w", err)
	}
	defer stream.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(stream)
	if err != nil {
		return writes{}, err
	}
	var sum writes
	for _, metric := range families[requestsMetric].GetMetric() {
		if !slices.Contains([]string{"POST", "PUT", "PATCH", "APPLY"}, label(metric, "verb")) {
			continue
		}
		switch resource := label(metric, "resource"); {
		case resource == "events":
			sum.events += metric.GetCounter().GetValue()
		case label(metric, "subresource") == "status" && resource != "pods":
			sum.status += metric.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
