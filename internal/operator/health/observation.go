package health

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Observation is the health of a revision. A nil pointer is a part that could not be observed completely.
type Observation struct {
	// Restarts counts the container restarts of the revision's pods.
	Restarts int
	// Proxies are the sidecars that are connected to the revision.
	Proxies *Proxies
	// CertificatesUntil is when the first certificate of a sidecar expires; zero without sidecars.
	CertificatesUntil *time.Time
	// Requests are those of the last minute. Sidecars report them only while they are read, so the first observation has none.
	Requests *rollout.Requests
}

// Proxies counts connected sidecars.
type Proxies struct {
	Connected, Rejecting int
	// Behind counts sidecars with unacknowledged configuration.
	Behind int
	// Rejections are the workloads most of whose sidecars reject configuration, sorted by name.
	Rejections []Rejection
}

// containerRestarts adds up the restarts of the containers of pods.
func containerRestarts(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			n += int(status.RestartCount)
		}
	}
	return n
}

// setProxies adds up the sidecars of all replicas. It sets nothing when a replica did not answer.
func (o *Observation) setProxies(answers []client.Answer[report.Proxies]) {
	var sum Proxies
	var all []report.Proxy
	for _, answer := range answers {
		if answer.Err != nil {
			return
		}
		for _, p := range answer.Value.Proxies {
			counts := p.Counts()
			sum.Connected += counts.Connected
			sum.Rejecting += counts.Rejecting
			sum.Behind += counts.Behind
		}
		all = append(all, answer.Value.Proxies...)
	}
	groups := groupProxies(all)
	sum.Rejections = rejections(groups)
	until := certificatesUntil(groups)
	o.Proxies, o.CertificatesUntil = &sum, &until
}

// formatRejection describes what a sidecar rejects.
func formatRejection(p report.Proxy) string {
	if p.Unserved != "" {
		return fmt.Sprintf("%s/%s is not served: %s", p.Namespace, p.Pod, p.Unserved)
	}
	for _, kind := range []string{"CDS", "EDS", "LDS", "RDS", "SDS", "ECDS"} {
		if text := p.Types[kind].Rejection; text != "" {
			return fmt.Sprintf("%s/%s rejects %s: %.300s", p.Namespace, p.Pod, kind, text)
		}
	}
	return p.Namespace + "/" + p.Pod
}

// setRequests adds up the requests of applications that all sidecars report. Probes of the kubelet and the streams to the control plane do
// not count: they fail while a pod starts or a replica ends. It sets nothing unless every sidecar has reported.
func (o *Observation) setRequests(answers []client.Answer[report.Loads]) {
	sum := client.TotalLoads(answers)
	if !sum.Complete() {
		return
	}
	var requests rollout.Requests
	for _, load := range sum.Loads {
		// An upstream that is not HTTP reports issued requests only.
		if load.Destination() != (report.Destination{}) && load.Succeeded+load.Failed > 0 {
			requests.Issued += load.Succeeded + load.Failed
			requests.Failed += load.Failed
		}
	}
	o.Requests = &requests
}
