package metrics

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// collector reads the Meshes at each scrape, so it never exports metrics of a deleted one.
type collector struct {
	meshes client.Reader
	// elected is closed when this replica becomes the leader. Before that, another replica exports the metrics.
	elected <-chan struct{}

	info, ready, since, proxies, proxiesReady, outdated, history, expiry, blockers, failed *prometheus.Desc
}

// NewCollector returns a collector of the statuses of Meshes. It collects nothing before elected is closed. meshes reads from a cache.
func NewCollector(meshes client.Reader, elected <-chan struct{}) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("osm_operator_"+name, help, append([]string{"mesh"}, labels...), nil)
	}
	return &collector{
		meshes: meshes, elected: elected,
		info:         desc("mesh_info", "1, with the desired version and the namespace of a mesh.", "version", "namespace"),
		ready:        desc("mesh_ready", "1 while the condition Ready is True, 0 otherwise."),
		since:        desc("mesh_phase_start_timestamp_seconds", "Start of the current phase of a mesh, in seconds since 1970. A mesh has one phase.", "phase"),
		proxies:      desc("proxies", "Sidecars of a mesh by the revision that injected them.", "revision"),
		proxiesReady: desc("proxies_ready", "Sidecars of a mesh in workloads without a rollout in progress."),
		outdated:     desc("proxies_outdated", "Sidecars of a mesh of another revision than the desired one."),
		history:      desc("history_entries", "Upgrades in the status of a mesh, at most ten, by result.", "result"),
		expiry:       desc("certificate_expiration_timestamp_seconds", "Expiry of a certificate of a mesh, in seconds since 1970: root, issuer, or the Secret of a webhook.", "certificate"),
		blockers:     desc("rotation_blockers", "What a rotation of the certificate authority of a mesh waits for, at most 100; 0 without a rotation."),
		failed:       prometheus.NewDesc("osm_operator_collect_failed", "1 if the Meshes could not be read for this scrape, 0 otherwise.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.info, c.ready, c.since, c.proxies, c.proxiesReady, c.outdated, c.history, c.expiry, c.blockers, c.failed} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	var list v1alpha1.MeshList
	failed := 0.0
	if err := c.meshes.List(context.Background(), &list); err != nil {
		failed = 1
	}
	out <- gauge(c.failed, failed)
	for i := range list.Items {
		c.collect(out, &list.Items[i])
	}
}

// collect exports the metrics of one mesh.
func (c *collector) collect(out chan<- prometheus.Metric, mesh *v1alpha1.Mesh) {
	status, name := mesh.Status, mesh.Name
	out <- gauge(c.info, 1, name, status.Version, status.Namespace)
	ready := 0.0
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		ready = 1
	}
	out <- gauge(c.ready, ready, name)
	if phase, since := PhaseOf(mesh); phase != "" {
		out <- gauge(c.since, float64(since.Unix()), name, string(phase))
	}
	if p := status.Proxies; p != nil {
		for _, revision := range p.ByRevision {
			out <- gauge(c.proxies, float64(revision.Total), name, revision.Revision)
		}
		out <- gauge(c.proxiesReady, float64(p.Ready), name)
		out <- gauge(c.outdated, float64(p.Outdated), name)
	}
	c.collectCertificates(out, name, status.Certificates)
	results := map[v1alpha1.UpgradeResult]int{v1alpha1.ResultSucceeded: 0, v1alpha1.ResultRolledBack: 0}
	for _, entry := range status.History {
		results[entry.Result]++
	}
	for result, n := range results {
		out <- gauge(c.history, float64(n), name, string(result))
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// collectCertificates exports when the certificates of a mesh expire. Of several roots it is the first.
func (c *collector) collectCertificates(out chan<- prometheus.Metric, mesh string, certificates *v1alpha1.CertificatesStatus) {
	if certificates == nil {
		return
	}
	out <- gauge(c.blockers, float64(len(certificates.Blockers)), mesh)
	out <- gauge(c.expiry, float64(certificates.Issuer.NotAfter.Unix()), mesh, "issuer")
	if len(certificates.Roots) > 0 {
		first := slices.MinFunc(certificates.Roots, func(a, b v1alpha1.CertificateSummary) int { return a.NotAfter.Compare(b.NotAfter.Time) })
		out <- gauge(c.expiry, float64(first.NotAfter.Unix()), mesh, "root")
	}
	for _, webhook := range certificates.Webhooks {
		out <- gauge(c.expiry, float64(webhook.NotAfter.Unix()), mesh, webhook.Secret)
	}
}
