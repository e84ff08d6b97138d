package inject

import (
	"cmp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mutate returns a copy of the pod with a sidecar. It replaces the parts of an earlier injection, so a copied or restored
// pod gets its own sidecar. The uuid must be unique for each call. Errors are written for the pod's user.
func Mutate(pod *corev1.Pod, ns Namespace, c Config, uuid string) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	if err := removeInjection(pod); err != nil {
		return nil, err
	}
	if err := validate(pod); err != nil {
		return nil, err
	}
	if err := annotateMetrics(pod, ns); err != nil {
		return nil, err
	}
	document, err := newDocument(pod, ns, c, uuid)
	if err != nil {
		return nil, err
	}
	if err := addContainers(pod, ns, c, document); err != nil {
		return nil, err
	}
	addVolumes(pod, c)
	setKey(&pod.Labels, names.ProxyUUIDLabel, uuid)
	if c.Revision != "" {
		setKey(&pod.Labels, names.RevisionLabel, c.Revision)
	} else {
		delete(pod.Labels, names.RevisionLabel)
	}
	return pod, nil
}

// newDocument returns the configuration of osm-init. It also rewrites the pod's probes, which the sidecar answers.
func newDocument(pod *corev1.Pod, ns Namespace, c Config, uuid string) (initconfig.Document, error) {
	rules, err := redirection(pod, ns, c)
	if err != nil {
		return initconfig.Document{}, err
	}
	probes, err := redirectProbes(pod, uuid)
	if err != nil {
		return initconfig.Document{}, err
	}
	for _, probe := range probes {
		if probe.ListenPort >= firstExtraProbePort && !slices.Contains(rules.ProbePorts, probe.ListenPort) {
			rules.ProbePorts = append(rules.ProbePorts, probe.ListenPort)
		}
	}
	scraped, _ := strconv.ParseBool(pod.Annotations[names.ScrapeAnnotation])
	return initconfig.Document{
		Bootstrap: bootstrap.Config{
			ProxyUUID:   uuid,
			TrustDomain: c.TrustDomain,
			Revision:    c.Revision,
			XDSHost:     cmp.Or(c.XDSHost, names.ServiceHost(names.Controller, c.Namespace)),
			XDSPort:     names.ADSPort,
			Metrics:     scraped,
			Statistics:  string(c.Settings.Sidecar.Statistics),
			Probes:      probes,
		},
		Redirect: rules,
	}, nil
}

// annotateMetrics enables Prometheus scraping of the sidecar if the namespace has metrics enabled.
func annotateMetrics(pod *corev1.Pod, ns Namespace) error {
	on, _, err := parseSwitch("namespace "+ns.Name, ns.Annotations, names.MetricsAnnotation)
	if err != nil || !on {
		return err
	}
	setKey(&pod.Annotations, names.ScrapeAnnotation, "true")
	setKey(&pod.Annotations, names.ScrapePortAnnotation, strconv.Itoa(names.PrometheusPort))
	setKey(&pod.Annotations, names.ScrapePathAnnotation, "/stats/prometheus")
	return nil
}

// addContainers inserts osm-init and the sidecar first, so that all other containers start with a working network.
func addContainers(pod *corev1.Pod, ns Namespace, c Config, document initconfig.Document) error {
	envoyImage, initImage, err := c.images()
	if err != nil {
		return err
	}
	args, err := initconfig.Arguments(document)
	if err != nil {
		return err
	}
	cluster := cmp.Or(pod.Spec.ServiceAccountName, "default") + "." + ns.Name
	pod.Spec.InitContainers = slices.Concat([]corev1.Container{
		initContainer(initImage, args, c.Settings.Sidecar.EnablePrivilegedInitContainer),
		sidecarContainer(envoyImage, cluster, workload.Of(pod), document.Bootstrap.Probes, c.Settings.Sidecar),
	}, pod.Spec.InitContainers)
	return nil
}

func setKey(m *map[string]string, key, value string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[key] = value
}
