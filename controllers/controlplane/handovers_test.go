package controlplane

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

func TestHandovers(t *testing.T) {
	type answer = reportclient.Answer[report.Handovers]
	epochs := func(replica string, list map[string]uint64) answer {
		return answer{Replica: replica, Value: report.Handovers{Epochs: list}}
	}
	down := errors.New("down")
	var answers []answer
	var failure error
	var got map[entity.InstanceID]uint64
	collected := handovers{
		others: func(context.Context) ([]answer, error) { return answers, failure },
		set:    func(list map[entity.InstanceID]uint64) { got = list },
	}
	for _, step := range []struct {
		name    string
		answers []answer
		failure error
		want    map[entity.InstanceID]uint64
		fails   bool
	}{
		{name: "no other replica", failure: reportclient.ErrNoReplicas},
		{name: "two replicas", answers: []answer{epochs("a", map[string]uint64{"x": 2, "y": 5}), epochs("b", map[string]uint64{"x": 3})}, want: map[entity.InstanceID]uint64{"x": 3, "y": 5}},
		{name: "the list fails", failure: down, want: map[entity.InstanceID]uint64{"x": 3, "y": 5}, fails: true},
		{name: "one does not answer", answers: []answer{{Replica: "a", Err: down}, epochs("b", nil)}, want: map[entity.InstanceID]uint64{"x": 2, "y": 5}, fails: true},
		{name: "one is gone", answers: []answer{epochs("b", map[string]uint64{"z": 2})}, want: map[entity.InstanceID]uint64{"z": 2}},
		{name: "no other replica any more", failure: reportclient.ErrNoReplicas},
	} {
		answers, failure = step.answers, step.failure
		if err := collected.refresh(t.Context()); (err != nil) != step.fails {
			t.Errorf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
