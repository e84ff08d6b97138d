package client

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestDenialsOfReplicasAreAdded has a client with sidecars on two replicas, and a third replica that does not respond.
func TestDenialsOfReplicasAreAdded(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 15, 4, second, 0, time.UTC) }
	thief := report.Denial{Client: "shop/thief", Service: "shop/web", Address: "10.0.0.1:80", Side: report.AtClient, Reason: "no policy"}
	count := func(count uint64, rate float64, since, last int) report.Denial {
		d := thief
		d.Count, d.Rate, d.Since, d.Last = count, rate, at(since), at(last)
		return d
	}
	other := report.Denial{Client: "shop/buyer", Server: "shop/web", Side: report.AtServer, Count: 1, AtLeast: true}
	got, unknown := TotalDenials([]Answer[report.Denials]{
		{Value: report.Denials{Denials: []report.Denial{count(3, 0.5, 10, 20), other}}},
		{Value: report.Denials{Denials: []report.Denial{count(4, 1, 5, 15)}}},
		{Replica: "three", Err: errors.New("no route")},
	})
	if diff := cmp.Diff([]report.Denial{other, count(7, 1.5, 5, 20)}, got); diff != "" {
		t.Errorf("denials (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"three"}, unknown); diff != "" {
		t.Errorf("unknown replicas (-want +got):\n%s", diff)
	}
}
