package status

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crclient "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// fakeReplicas returns the rejections that a test sets.
type fakeReplicas struct {
	own     []report.Rejection
	now     time.Time
	answers []client.Answer[report.Rejections]
	err     error
}

func (r *fakeReplicas) rejections() *Rejections {
	return NewRejections(
		func() report.Rejections { return report.Rejections{Rejections: r.own} },
		func(context.Context) ([]client.Answer[report.Rejections], error) { return r.answers, r.err },
		func() time.Time { return r.now },
	)
}

func noRejections() *Rejections {
	r := (&fakeReplicas{}).rejections()
	r.update(report.Rejections{}, nil, true)
	return r
}

func rejection(name, account, pod string) report.Rejection {
	return report.Rejection{
		Kind: "TrafficTarget", Namespace: "shop", Name: name, ServiceAccount: account, Pod: pod,
		Type: "RDS", Resource: "rds-inbound.80|shop/web", Text: "bad regex: (", At: time.Unix(1_800_000_000, 0),
	}
}

func answerOf(replica string, list ...report.Rejection) client.Answer[report.Rejections] {
	return client.Answer[report.Rejections]{Replica: replica, Value: report.Rejections{Rejections: list}}
}

// TestRejections_MergeReplicas merges the answers of two other replicas, one of which becomes unreachable and is then deleted.
func TestRejections_MergeReplicas(t *testing.T) {
	says := &fakeReplicas{}
	r := says.rejections()
	events := r.Watch(kinds.TrafficTarget)
	unreachable := client.Answer[report.Rejections]{Replica: "two", Err: errors.New("no route")}
	if _, known := r.Of("TrafficTarget", "shop", "x"); known {
		t.Fatal("rejections are known before any replica was polled")
	}
	steps := []struct {
		name    string
		own     []report.Rejection
		answers []client.Answer[report.Rejections]
		err     error
		// changed are the objects with changed rejections, and rejections is the number of rejections of x.
		changed    string
		rejections int
	}{
		{"two replicas reject one policy", nil, []client.Answer[report.Rejections]{
			answerOf("one", rejection("x", "shop/a", "shop/a-1")), answerOf("two", rejection("x", "shop/b", "shop/b-1")),
		}, nil, "x", 2},
		{"unchanged", nil, []client.Answer[report.Rejections]{
			answerOf("two", rejection("x", "shop/b", "shop/b-1")), answerOf("one", rejection("x", "shop/a", "shop/a-1")),
		}, nil, "", 2},
		{"one is unreachable", nil, []client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1")), unreachable}, nil, "", 2},
		{"replicas cannot be listed", nil, nil, errors.New("no list"), "", 2},
		{
			"this one rejects too, for the same account",
			[]report.Rejection{rejection("x", "shop/a", "shop/a-2")},
			[]client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1")), unreachable},
			nil, "", 2,
		},
		{"the unreachable one is deleted", nil, []client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1"))}, nil, "x", 1},
		{"there is no other replica", nil, nil, client.ErrNoReplicas, "x", 0},
	}
	for _, step := range steps {
		says.own, says.answers, says.err = step.own, step.answers, step.err
		done := make(chan error, 1)
		go func() { done <- r.refresh(t.Context()) }()
		changed := ""
		for waiting := true; waiting; {
			select {
			case e := <-events:
				changed += e.Object.GetName()
			case <-done:
				waiting = false
			}
		}
		rejections, known := r.Of("TrafficTarget", "shop", "x")
		if changed != step.changed || len(rejections) != step.rejections || !known {
			t.Errorf("%s: changed = %q, want %q; %d rejections, want %d", step.name, changed, step.changed, len(rejections), step.rejections)
		}
	}
}

// TestRejections_KnownWhileLeading runs a replica that acquires the Lease and loses it.
func TestRejections_KnownWhileLeading(t *testing.T) {
	says := &fakeReplicas{own: []report.Rejection{rejection("x", "shop/a", "shop/a-1")}, err: client.ErrNoReplicas}
	r := says.rejections()
	var leading atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx, leading.Load, logr.Discard()) }()
	until := func(want bool) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			r.Changed()
			if _, known := r.Of("TrafficTarget", "shop", "x"); known == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("known is not %t", want)
			}
			time.Sleep(time.Millisecond)
		}
	}
	until(false)
	leading.Store(true)
	until(true)
	leading.Store(false)
	until(false)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRejectedCondition(t *testing.T) {
	one := rejectedCondition([]report.Rejection{rejection("x", "shop/a", "shop/a-1")}, metav1.Condition{Status: metav1.ConditionTrue, Message: "in force"})
	want := `The sidecar of pod shop/a-1 rejected RDS "rds-inbound.80|shop/web", so this object is not in force for the sidecars of service account shop/a until it changes. Envoy's error: bad regex: (.`
	if one.Message != want || one.Reason != kinds.ReasonRejectedByProxy || one.Status != metav1.ConditionFalse {
		t.Errorf("got %+v", one)
	}
	var many []report.Rejection
	for range 50 {
		long := rejection("x", "shop/a", "shop/a-1")
		long.Text = strings.Repeat("ä", 3000)
		many = append(many, long)
	}
	if got := rejectedCondition(many, metav1.Condition{}); len(got.Message) > 5000 {
		t.Errorf("a message of %d bytes", len(got.Message))
	}
	many = many[:5]
	for i := range many {
		many[i].Text = "no"
	}
	if got := rejectedCondition(many, metav1.Condition{Status: metav1.ConditionFalse, Message: "Also bad."}); !strings.HasSuffix(got.Message, "Sidecars of 2 other service accounts rejected it, too. Also bad.") {
		t.Errorf("got %q", got.Message)
	}
}

// undefined is a manager in a cluster that defines no policy kinds.
type undefined struct{ manager.Manager }

func (undefined) Add(manager.Runnable) error                     { return nil }
func (undefined) GetClient() crclient.Client                     { return nil }
func (undefined) GetEventRecorder(string) recorder.EventRecorder { return nil }

// TestRejections_KindsWithoutControllerBlockNothing rejects objects of kinds whose controllers wait for a definition, such as HTTPRoutes without
// ReferenceGrants. Nothing reads their events. The controllers find the rejections when they start.
func TestRejections_KindsWithoutControllerBlockNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := report.Rejections{
			Rejections: []report.Rejection{rejection("x", "shop/a", "shop/a-1")},
			Failures:   []report.ServerFailure{{Cluster: "limits", ServiceAccount: "shop/a", Sidecars: 1}},
		}
		others := func(context.Context) ([]client.Answer[report.Rejections], error) { return nil, client.ErrNoReplicas }
		r := NewRejections(func() report.Rejections { return own }, others, time.Now)
		none := traffic.NewDefinitions(meta.NewDefaultRESTMapper(nil), nil)
		if err := (Writers{Leader: &Leader{}, Rejections: r, Definitions: none}).addPolicies(undefined{}); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- r.refresh(t.Context()) }()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Hour):
			t.Error("an object of a kind without a controller blocks all others")
		}
		if list, known := r.Of(kinds.TrafficTarget.Kind, "shop", "x"); !known || len(list) != 1 {
			t.Errorf("a controller that starts later finds %d rejections (known: %t), want 1", len(list), known)
		}
	})
}
