package status

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
)

// replicas say what a test wants.
type replicas struct {
	own     []report.Rejection
	answers []client.Answer[report.Rejections]
	err     error
}

func (r *replicas) rejections() *Rejections {
	return NewRejections(
		func() []report.Rejection { return r.own },
		func(context.Context) ([]client.Answer[report.Rejections], error) { return r.answers, r.err },
	)
}

func nothingRejected() *Rejections {
	r := (&replicas{}).rejections()
	r.take(nil, nil, true)
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

// TestRejectionsOfAllReplicas follows what two other replicas say while one of them does not answer for a while and then goes.
func TestRejectionsOfAllReplicas(t *testing.T) {
	says := &replicas{}
	r := says.rejections()
	events := r.watch(traffic.TrafficTarget)
	away := client.Answer[report.Rejections]{Replica: "two", Err: errors.New("no route")}
	if _, known := r.of("TrafficTarget", "shop", "x"); known {
		t.Fatal("something is known before anybody was asked")
	}
	steps := []struct {
		name    string
		own     []report.Rejection
		answers []client.Answer[report.Rejections]
		err     error
		// told are the objects that something new is known of, and held how many rejections there are of x.
		told string
		held int
	}{
		{"two replicas reject one policy", nil, []client.Answer[report.Rejections]{
			answerOf("one", rejection("x", "shop/a", "shop/a-1")), answerOf("two", rejection("x", "shop/b", "shop/b-1")),
		}, nil, "x", 2},
		{"the same again", nil, []client.Answer[report.Rejections]{
			answerOf("two", rejection("x", "shop/b", "shop/b-1")), answerOf("one", rejection("x", "shop/a", "shop/a-1")),
		}, nil, "", 2},
		{"one does not answer", nil, []client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1")), away}, nil, "", 2},
		{"nobody can be asked", nil, nil, errors.New("no list"), "", 2},
		{
			"this one rejects too, for the same account",
			[]report.Rejection{rejection("x", "shop/a", "shop/a-2")},
			[]client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1")), away},
			nil, "", 2,
		},
		{"the one that did not answer is gone", nil, []client.Answer[report.Rejections]{answerOf("one", rejection("x", "shop/a", "shop/a-1"))}, nil, "x", 1},
		{"there is no other replica", nil, nil, client.ErrNoReplicas, "x", 0},
	}
	for _, step := range steps {
		says.own, says.answers, says.err = step.own, step.answers, step.err
		done := make(chan error, 1)
		go func() { done <- r.refresh(t.Context()) }()
		told := ""
		for waiting := true; waiting; {
			select {
			case e := <-events:
				told += e.Object.GetName()
			case <-done:
				waiting = false
			}
		}
		held, known := r.of("TrafficTarget", "shop", "x")
		if told != step.told || len(held) != step.held || !known {
			t.Errorf("%s: told of %q, want %q; %d rejections, want %d", step.name, told, step.told, len(held), step.held)
		}
	}
}

// TestRejectionsOnlyOfTheLeader runs a replica that begins to lead and stops.
func TestRejectionsOnlyOfTheLeader(t *testing.T) {
	says := &replicas{own: []report.Rejection{rejection("x", "shop/a", "shop/a-1")}, err: client.ErrNoReplicas}
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
			if _, known := r.of("TrafficTarget", "shop", "x"); known == want {
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

func TestRejectedBy(t *testing.T) {
	one := rejectedBy([]report.Rejection{rejection("x", "shop/a", "shop/a-1")}, metav1.Condition{Status: metav1.ConditionTrue, Message: "in force"})
	want := `The sidecar of pod shop/a-1 rejected RDS "rds-inbound.80|shop/web", so this object is not in force for the sidecars of service account shop/a until it changes. It says: bad regex: (.`
	if one.Message != want || one.Reason != ReasonRejectedByProxy || one.Status != metav1.ConditionFalse {
		t.Errorf("got %+v", one)
	}
	var many []report.Rejection
	for range 50 {
		long := rejection("x", "shop/a", "shop/a-1")
		long.Text = strings.Repeat("ä", 3000)
		many = append(many, long)
	}
	if got := rejectedBy(many, metav1.Condition{}); len(got.Message) > 5000 {
		t.Errorf("a message of %d bytes", len(got.Message))
	}
	many = many[:5]
	for i := range many {
		many[i].Text = "no"
	}
	if got := rejectedBy(many, metav1.Condition{Status: metav1.ConditionFalse, Message: "Also bad."}); !strings.HasSuffix(got.Message, "So do sidecars of 2 other service accounts. Also bad.") {
		t.Errorf("got %q", got.Message)
	}
}
