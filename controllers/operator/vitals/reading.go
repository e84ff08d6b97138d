package vitals

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
	"github.com/openservicemesh/osm-operator/internal/rollout"
)

// Reading is what was observed. A nil pointer is a part that was not observed whole.
type Reading struct {
	// Restarts is how often containers of the revision's pods were restarted.
	Restarts int
	// Proxies are the sidecars that are connected to the revision.
	Proxies *Proxies
	// CertificatesUntil is when the first of their certificates ends; zero without sidecars.
	CertificatesUntil *time.Time
	// Requests are those of the last minute. Sidecars report them only while somebody asks, so the first reading has none.
	Requests *rollout.Requests
	// Mute is true when the revision is of a version that cannot report requests.
	Mute bool
}

// Proxies counts connected sidecars.
type Proxies struct {
	Connected, Rejecting int
	// Behind have not answered everything yet that they were sent.
	Behind int
	// Example names one that rejects, with Envoy's own words.
	Example string
}

// restarts counts restarts of containers.
func restarts(pods []corev1.Pod) int {
	n := 0
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			n += int(status.RestartCount)
		}
	}
	return n
}

// proxies adds up what all replicas say of their sidecars.
func (r *Reading) proxies(answers []client.Answer[report.Proxies]) {
	var sum Proxies
	var first time.Time
	for _, answer := range answers {
		if answer.Err != nil {
			return
		}
		for _, p := range answer.Value.Proxies {
			counts := p.Counts()
			sum.Connected += counts.Connected
			sum.Rejecting += counts.Rejecting
			sum.Behind += counts.Behind
			if counts.Rejecting > 0 && sum.Example == "" {
				sum.Example = example(p)
			}
			if end := p.CertificateEnd; end != nil && (first.IsZero() || end.Before(first)) {
				first = *end
			}
		}
	}
	r.Proxies, r.CertificatesUntil = &sum, &first
}

// example is what a sidecar rejects, in Envoy's words.
func example(p report.Proxy) string {
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

// requests adds up what all sidecars have sent.
func (r *Reading) requests(answers []client.Answer[report.Loads]) {
	sum := client.TotalLoads(answers)
	if !sum.Complete() {
		return
	}
	var requests rollout.Requests
	for _, load := range sum.Loads {
		// Of an upstream that is not HTTP it is not known what has failed.
		if load.Succeeded+load.Failed > 0 {
			requests.Issued += load.Succeeded + load.Failed
			requests.Failed += load.Failed
		}
	}
	r.Requests = &requests
}
