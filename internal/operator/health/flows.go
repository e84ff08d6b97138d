package health

import (
	"cmp"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// flows returns the requests of applications that sidecars report. Probes of the kubelet and the streams to the control plane do not count:
// they fail while a pod starts or a replica ends. The result is nil, which is unknown, unless enough sidecars have reported to each replica.
func flows(answers []client.Answer[report.Loads]) []rollout.Flow {
	sum := client.LoadsByRevision(answers)
	if len(sum.Unknown) > 0 || !enoughReport(sum) {
		return nil
	}
	list := []rollout.Flow{}
	for _, load := range sum.Loads {
		destination := load.Destination()
		// An upstream that is not HTTP reports issued requests only. An average is about the time before the reader came.
		if destination == (report.Destination{}) || load.Average || load.Succeeded+load.Failed == 0 {
			continue
		}
		list = append(list, rollout.Flow{
			Client: load.Client, Revision: load.Revision, Destination: cmp.Or(destination.Service, destination.Outside), Local: destination.Local,
			Requests: rollout.Requests{Issued: load.Succeeded + load.Failed, Failed: load.Failed},
		})
	}
	return list
}

const (
	// minReporting is the share of the sidecars that must have reported. In a large mesh there are always some that reconnect or end.
	minReporting = 0.95
	// maxStarting is the share of the sidecars that may be too new for a report. After the start of a replica all are.
	maxStarting = 0.5
	// otherNamespaces is the number of namespaces that outweigh one whose sidecars do not report.
	otherNamespaces = 3
)

// reporting counts sidecars that can report.
type reporting struct{ sidecars, reporting, starting int }

func (r reporting) plus(c report.LoadClient) reporting {
	return reporting{r.sidecars + c.Sidecars, r.reporting + c.Reporting, r.starting + c.Starting}
}

// silent is how many sidecars should have reported and have not.
func (r reporting) silent() int { return r.sidecars - r.starting - r.reporting }

// isEnough reports whether so many have reported that the others do not matter.
func (r reporting) isEnough() bool {
	starting := min(float64(r.starting), maxStarting*float64(r.sidecars))
	return float64(r.reporting) >= minReporting*(float64(r.sidecars)-starting)
}

// enoughReport reports whether enough sidecars report. The namespace with most silent ones does not decide alone, because its owner can keep
// them silent. Replicas that do not count by client are counted as a whole.
func enoughReport(sum client.LoadSum) bool {
	all, byNamespace := reporting{}, map[string]reporting{}
	for _, c := range sum.Clients {
		namespace, _, _ := strings.Cut(c.Client, "/")
		all, byNamespace[namespace] = all.plus(c), byNamespace[namespace].plus(c)
	}
	if all.sidecars != sum.Sidecars {
		all, byNamespace = reporting{sidecars: sum.Sidecars, reporting: sum.Reporting}, nil
	}
	if all.isEnough() || len(byNamespace) <= otherNamespaces {
		return all.isEnough()
	}
	worst := reporting{}
	for _, counts := range byNamespace {
		if counts.silent() > worst.silent() {
			worst = counts
		}
	}
	all.sidecars, all.reporting, all.starting = all.sidecars-worst.sidecars, all.reporting-worst.reporting, all.starting-worst.starting
	return all.isEnough()
}
