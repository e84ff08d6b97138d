package loadstats

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

var (
	authorizer = Server{Cluster: "external-authorization|namespace", Policy: entity.Name{Namespace: "shop", Name: "authz"}}
	limiter    = Server{Cluster: "ratelimit|10.0.0.9:8081"}
)

// TestServersWithoutAnswers has two sidecars of an identity and one of another, whose servers fail and recover. Nobody reads loads.
func TestServersWithoutAnswers(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	one, two, other := s.Register("one", buyer, ""), s.Register("two", buyer, ""), s.Register("three", till, "")
	began := c.now
	check := func(step string, want ...Failure) {
		t.Helper()
		if diff := cmp.Diff(want, s.Failures()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", step, diff)
		}
	}
	one.ReportServer(authorizer, Counts{Issued: 5, Succeeded: 5})
	check("a server that answers")
	one.ReportServer(authorizer, Counts{Issued: 5})
	check("requests without an end")
	one.ReportServer(authorizer, Counts{Issued: 5, Succeeded: 3, Failed: 2})
	check("a minority of failures")
	two.ReportServer(authorizer, Counts{Failed: 1})
	c.wait(time.Second)
	one.ReportServer(authorizer, Counts{Succeeded: 2, Failed: 2})
	other.ReportServer(limiter, Counts{Failed: 3})
	both := Failure{authorizer, buyer, 2, began}
	limit := Failure{limiter, till, 1, began.Add(time.Second)}
	check("failures of three sidecars", both, limit)
	c.wait(time.Minute)
	one.ReportServer(authorizer, Counts{Failed: 1})
	check("the start stays", both, limit)
	one.ReportServer(authorizer, Counts{})
	check("an idle sidecar", both, limit)
	two.ReportServer(authorizer, Counts{Succeeded: 1})
	check("one recovers", Failure{authorizer, buyer, 1, began.Add(time.Second)}, limit)
	c.wait(failureExpiry)
	check("the old failure expires", Failure{authorizer, buyer, 1, began.Add(time.Second)})
	c.wait(time.Second)
	check("all are old")
	if len(s.failing) > 0 {
		t.Errorf("%d failures use memory", len(s.failing))
	}
}
