package controlplane

import (
	"context"
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// handoverInterval is how often a replica asks the others which Envoys have taken over.
const handoverInterval = 5 * time.Second

// handovers collects the Envoys of other replicas that have taken over from another one of their pod.
type handovers struct {
	others func(context.Context) ([]reportclient.Answer[report.Handovers], error)
	set    func(epochs map[entity.InstanceID]uint64)
	// failed receives the error of an attempt after one without an error.
	failed func(error)

	byReplica map[string]map[string]uint64
	failing   bool
}

// run asks the other replicas until ctx ends, for the first time after an interval, when the list of pods has been read.
func (t *handovers) run(ctx context.Context) error {
	ticker := time.NewTicker(handoverInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := t.refresh(ctx)
		if err != nil && !t.failing && ctx.Err() == nil {
			t.failed(err)
		}
		t.failing = err != nil
	}
}

// refresh asks all other replicas once. The last answer of a replica that does not answer is kept until its pod is deleted.
func (t *handovers) refresh(ctx context.Context) error {
	answers, err := t.others(ctx)
	if err != nil && !errors.Is(err, reportclient.ErrNoReplicas) {
		return err
	}
	byReplica, failures := map[string]map[string]uint64{}, error(nil)
	for _, answer := range answers {
		byReplica[answer.Replica] = answer.Value.Epochs
		if answer.Err != nil {
			byReplica[answer.Replica], failures = t.byReplica[answer.Replica], errors.Join(failures, answer.Err)
		}
	}
	t.byReplica = byReplica
	epochs := map[entity.InstanceID]uint64{}
	for _, list := range byReplica {
		for id, epoch := range list {
			epochs[entity.InstanceID(id)] = max(epochs[entity.InstanceID(id)], epoch)
		}
	}
	if len(epochs) == 0 {
		epochs = nil
	}
	t.set(epochs)
	return failures
}
