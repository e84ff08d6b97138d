package status

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// batchPlay has a tracer at a time, and a batch that it traces.
type batchPlay struct {
	tracer *Tracer
	trace  *BatchTrace
	start  time.Time
}

func newBatchPlay() *batchPlay {
	p := &batchPlay{tracer: NewTracer(prometheus.NewRegistry(), nil), start: time.Unix(1_800_000_000, 0)}
	p.trace = p.begin()
	return p
}

func (p *batchPlay) begin() *BatchTrace {
	return p.tracer.Begin(Batch{QueuedAt: p.start}, p.start, func(catalog.Change) bool { return true })
}

// at is a number of seconds after the start.
func (p *batchPlay) at(seconds int) time.Time {
	return p.start.Add(time.Duration(seconds) * time.Second)
}

// report is the trace of the batch.
func (p *batchPlay) report(followers ...*Follower) Trace {
	traces := p.tracer.List(func(pending PendingPods) {
		for i, f := range followers {
			pending.Add(entity.Name{Namespace: "shop", Name: fmt.Sprint("pod-", len(followers)-i)}, f)
		}
	})
	return traces[len(traces)-1]
}

// TestAnswersOfStreams checks what a trace counts, and how long the slowest stream took.
func TestAnswersOfStreams(t *testing.T) {
	p := newBatchPlay()
	acknowledged, slow, rejected, ended, open := &Follower{}, &Follower{}, &Follower{}, &Follower{}, &Follower{}
	all := []*Follower{acknowledged, slow, rejected, ended, open}
	for _, f := range all {
		f.Notified(nil, p.at(0))
		f.Notified(p.trace, p.at(1))
	}
	slow.Notified(p.trace, p.at(2)) // it is the same batch
	p.tracer.Finish(p.trace, p.at(2))
	acknowledged.Rejected() // a NACK of something else
	for i, f := range all {
		f.Sent(p.at(3)) // without the changes
		f.MarkSynced()
		f.Sent(p.at(4 + i))
		f.Sent(p.at(20))
	}
	acknowledged.Answered(time.Time{}, p.at(6))
	slow.Answered(p.at(1), p.at(7))
	slow.Answered(p.at(2), p.at(8))
	if len(slow.followed) != 1 || !acknowledged.IsEmpty() {
		t.Error("an answer of an earlier change is that of a later one")
	}
	slow.Answered(p.at(3), p.at(12))
	rejected.Rejected()
	rejected.Notified(p.trace, p.at(9)) // nothing is sent since
	rejected.MarkSynced()
	rejected.Rejected()
	rejected.Answered(time.Time{}, p.at(9))
	ended.Close(p.at(10))
	if ended.IsEmpty() != true {
		t.Error("a stream that has ended has open batches")
	}
	got := p.report(all...)
	want := Trace{
		Number: 1, StartedAt: p.start, Streams: 5, Acknowledged: 2, Rejected: 1, Disconnected: 1, Open: 1, Pending: []entity.Name{{Namespace: "shop", Name: "pod-1"}},
		Stages: map[Stage]time.Duration{StageIngest: 0, StageQueue: 0, StageCatalog: 0, StageScope: 0, StageEnvoy: 0, StagePush: 7 * time.Second, StageAcknowledge: 7 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("while one is open (-want +got):\n%s", diff)
	}
	open.Answered(time.Time{}, p.at(30))
	got = p.report()
	want.Acknowledged, want.Open, want.Pending, want.Duration = 3, 0, nil, 30*time.Second
	want.Stages[StageAcknowledge] = 22 * time.Second
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}

// TestSlowestStreamCounts checks that a stream which is faster than an earlier one does not shorten the times of the batch.
func TestSlowestStreamCounts(t *testing.T) {
	p := newBatchPlay()
	for _, seconds := range []int{5, 3} {
		f := &Follower{}
		f.Notified(p.trace, p.at(1))
		f.MarkSynced()
		f.Sent(p.at(1 + seconds))
		f.Answered(time.Time{}, p.at(1+3*seconds))
	}
	p.tracer.Finish(p.trace, p.at(20))
	got := p.report().Stages
	if got[StagePush] != 5*time.Second || got[StageAcknowledge] != 10*time.Second {
		t.Errorf("sending took %s and answers %s, want 5s and 10s", got[StagePush], got[StageAcknowledge])
	}
}

// TestNotifiedAgain checks that a NACK of a response is not one of the same batch if the stream was notified again after the response.
func TestNotifiedAgain(t *testing.T) {
	p, f := newBatchPlay(), &Follower{}
	f.Notified(p.trace, p.at(1))
	f.MarkSynced()
	f.Sent(p.at(2))
	f.Notified(p.trace, p.at(3))
	f.Rejected()
	f.MarkSynced()
	f.Sent(p.at(4))
	f.Answered(time.Time{}, p.at(5))
	p.tracer.Finish(p.trace, p.at(6))
	if got := p.report(); got.Rejected != 0 || got.Acknowledged != 1 {
		t.Errorf("the trace counts %d NACKs and %d answers, want 0 and 1", got.Rejected, got.Acknowledged)
	}
}

// TestStreamWithoutAResponse checks that a stream which has nothing to send takes no time, and that pods of complete traces are not pending.
func TestStreamWithoutAResponse(t *testing.T) {
	p, f := newBatchPlay(), &Follower{}
	f.Notified(p.trace, p.at(1))
	f.MarkSynced()
	complete := PendingPods{}
	if complete.Add(entity.Name{}, f); len(complete) > 0 {
		t.Errorf("%v are pending", complete)
	}
	f.Answered(time.Time{}, p.at(9))
	p.tracer.Finish(p.trace, p.at(9))
	if got := p.report(); got.Stages[StageAcknowledge] != 0 || got.Acknowledged != 1 {
		t.Errorf("the trace is %+v", got)
	}
}

// TestBatchesOfOneStream checks the order of several batches, and how many are followed.
func TestBatchesOfOneStream(t *testing.T) {
	p := newBatchPlay()
	f := &Follower{}
	traces := []*BatchTrace{p.trace}
	for range maxFollowed {
		traces = append(traces, p.begin())
	}
	for i, trace := range traces {
		f.Notified(trace, p.at(i))
		p.tracer.Finish(trace, p.at(i))
	}
	f.MarkSynced()
	f.Sent(p.at(40))
	f.Answered(p.at(1), p.at(41)) // only the first one is older
	if len(f.followed) != maxFollowed-1 || f.followed[0].trace != traces[1] {
		t.Errorf("%d batches are open", len(f.followed))
	}
	if got := traces[maxFollowed].report(nil); got.Skipped != 1 || got.Streams != 1 || got.Acknowledged != 0 || got.Open != 0 {
		t.Errorf("beyond the limit: %+v", got)
	}
	if got := traces[maxFollowed-1].report(nil); got.Skipped != 0 || got.Open != 1 {
		t.Errorf("at the limit: %+v", got)
	}
	later := p.begin()
	f.Notified(later, p.at(42)) // it is not synced yet
	f.Answered(time.Time{}, p.at(43))
	if len(f.followed) != 1 || f.followed[0].trace != later {
		t.Errorf("%d batches are open, want the last one", len(f.followed))
	}
}

// TestStagesOfABatch checks what the control plane itself records. Without a trace nothing is recorded.
func TestStagesOfABatch(t *testing.T) {
	p := newBatchPlay()
	for _, trace := range []*BatchTrace{nil, p.trace} {
		for range 2 {
			trace.AddStage(StageScope, p.at(1), p.at(3))
			trace.AddScopes(3)
			trace.AddResources(5)
		}
	}
	p.tracer.Finish(p.trace, p.at(4))
	got := p.report()
	if got.Stages[StageScope] != 4*time.Second || len(got.Stages) != 5 || got.Scopes != 6 || got.Resources != 10 || got.Duration != 4*time.Second || got.Open != 0 {
		t.Errorf("the trace is %+v", got)
	}
}

// TestBeginOfATrace checks when a batch began, and which objects it names.
func TestBeginOfATrace(t *testing.T) {
	queued := time.Unix(1_800_000_000, 0)
	change := func(name string, received time.Time) catalog.Change {
		return catalog.Change{Ref: entity.Ref{Name: entity.Name{Name: name}}, Generation: 7, Received: received}
	}
	many := func(n int) (list []catalog.Change) {
		for i := range n {
			list = append(list, change(fmt.Sprint(i), time.Time{}))
		}
		return list
	}
	same := func(catalog.Change) bool { return false }
	for name, test := range map[string]struct {
		changes    []catalog.Change
		isModified func(catalog.Change) bool
		start      time.Time
		objects    int
	}{
		"of the queue":        {many(1), func(catalog.Change) bool { return true }, queued, 1},
		"of the first object": {[]catalog.Change{change("a", queued.Add(-time.Second)), change("b", queued.Add(-time.Minute)), change("c", queued.Add(time.Minute))}, same, queued.Add(-time.Minute), 0},
		"of many objects":     {many(2 * maxTracedObjects), func(catalog.Change) bool { return true }, queued, maxTracedObjects},
		"compared in part":    {many(maxComparedObjects + 1), func(c catalog.Change) bool { return c.Ref.Name.Name >= "6" && len(c.Ref.Name.Name) == 2 }, queued, 4},
	} {
		tracer := NewTracer(prometheus.NewRegistry(), nil)
		trace := tracer.Begin(Batch{Changes: test.changes, QueuedAt: queued, Ingest: time.Minute}, queued.Add(time.Second), test.isModified)
		tracer.Finish(trace, queued.Add(time.Hour))
		got := tracer.List(func(PendingPods) { t.Errorf("%s: pending pods of a complete trace", name) })[0]
		if !got.StartedAt.Equal(test.start) || len(got.Objects) != test.objects || got.Total != len(test.changes) || got.Stages[StageIngest] != time.Minute || got.Stages[StageQueue] != time.Second {
			t.Errorf("%s: %+v", name, got)
		}
		if test.objects > 0 && (got.Objects[0].Generation != 7 || !got.Objects[0].Removed) {
			t.Errorf("%s: the first object is %+v", name, got.Objects[0])
		}
	}
}

// TestMetricsOfBatches checks which batches count, and for how long.
func TestMetricsOfBatches(t *testing.T) {
	p, registry := newBatchPlay(), prometheus.NewRegistry()
	p.tracer = NewTracer(registry, nil)
	p.trace = p.begin()
	p.tracer.Finish(p.trace, p.at(1)) // it has no stream
	if got := testutil.ToFloat64(p.tracer.metrics.broadcasts); got != 0 {
		t.Errorf("%v batches are counted without a stream", got)
	}
	f, trace := &Follower{}, p.begin()
	f.Notified(trace, p.at(1))
	p.tracer.Finish(trace, p.at(1))
	f.Close(p.at(2))
	if got := testutil.ToFloat64(p.tracer.metrics.broadcasts); got != 1 {
		t.Errorf("%v batches are counted, want 1", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]uint64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == "osm_change_stage_seconds" {
				samples[metric.GetLabel()[0].GetValue()] = metric.GetHistogram().GetSampleCount()
			}
		}
	}
	want := map[string]uint64{"ingest": 2, "queue": 2, "catalog": 2, "scope": 2, "envoy": 2, "push": 1, "acknowledge": 1}
	if diff := cmp.Diff(want, samples); diff != "" {
		t.Errorf("samples of stages (-want +got):\n%s", diff)
	}
}

// TestPendingPodsAreBounded checks that a trace names the first pods.
func TestPendingPodsAreBounded(t *testing.T) {
	p := newBatchPlay()
	var followers []*Follower
	for range maxListedPods + 5 {
		f := &Follower{}
		f.Notified(p.trace, p.start)
		followers = append(followers, f)
	}
	p.tracer.Finish(p.trace, p.start)
	if got := p.report(followers...).Pending; len(got) != maxListedPods || got[0].Name != "pod-1" || got[1].Name != "pod-10" {
		t.Errorf("the trace is %v", got)
	}
}
