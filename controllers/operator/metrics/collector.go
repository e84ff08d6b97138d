package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// collector reads the Meshes when it is asked, so it never speaks of one that is gone.
type collector struct {
	meshes client.Reader
	// acting is closed when this replica acts; until then another one tells.
	acting <-chan struct{}

	info, ready, since, proxies, proxiesReady, outdated, history, failed *prometheus.Desc
}

// NewCollector collects what the status of Meshes tells, once acting is closed. meshes reads from a cache.
func NewCollector(meshes client.Reader, acting <-chan struct{}) prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("osm_operator_"+name, help, append([]string{"mesh"}, labels...), nil)
	}
	return &collector{
		meshes: meshes, acting: acting,
		info:         desc("mesh_info", "1, with the version that a mesh shall run and its namespace.", "version", "namespace"),
		ready:        desc("mesh_ready", "1 while a mesh is as declared and works, 0 otherwise."),
		since:        desc("mesh_phase_start_timestamp_seconds", "When the phase that a mesh is in began, in seconds since 1970. A mesh has one phase.", "phase"),
		proxies:      desc("proxies", "Sidecars of a mesh by the revision that injected them.", "revision"),
		proxiesReady: desc("proxies_ready", "Sidecars of a mesh in workloads that are settled."),
		outdated:     desc("proxies_outdated", "Sidecars of a mesh that are of another revision than they should be."),
		history:      desc("history_entries", "Upgrades in the status of a mesh, at most ten, by how they ended.", "result"),
		failed:       prometheus.NewDesc("osm_operator_collect_failed", "1 when the Meshes could not be read for this answer, 0 otherwise.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.info, c.ready, c.since, c.proxies, c.proxiesReady, c.outdated, c.history, c.failed} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	select {
	case <-c.acting:
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

// collect tells about one mesh.
func (c *collector) collect(out chan<- prometheus.Metric, mesh *v1alpha1.Mesh) {
	status, name := mesh.Status, mesh.Name
	out <- gauge(c.info, 1, name, status.Version, status.Namespace)
	ready := 0.0
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		ready = 1
	}
	out <- gauge(c.ready, ready, name)
	if phase, since := PhaseOf(mesh); phase != "" {
		out <- gauge(c.since, float64(since.Unix()), name, phase)
	}
	if p := status.Proxies; p != nil {
		for _, revision := range p.ByRevision {
			out <- gauge(c.proxies, float64(revision.Total), name, revision.Revision)
		}
		out <- gauge(c.proxiesReady, float64(p.Ready), name)
		out <- gauge(c.outdated, float64(p.Outdated), name)
	}
	ended := map[string]int{v1alpha1.ResultSucceeded: 0, v1alpha1.ResultRolledBack: 0}
	for _, entry := range status.History {
		ended[entry.Result]++
	}
	for result, n := range ended {
		out <- gauge(c.history, float64(n), name, result)
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
