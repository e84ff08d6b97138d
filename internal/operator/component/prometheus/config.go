package prometheus

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// scrapeInterval is that of OSM. The gate of upgrades needs two scrapes in two minutes.
const scrapeInterval = "10s"

// relabeling is a rule for labels, in the format of Prometheus.
type relabeling struct {
	SourceLabels []string `json:"source_labels,omitempty"`
	Regex        string   `json:"regex,omitempty"`
	Replacement  *string  `json:"replacement,omitempty"`
	TargetLabel  string   `json:"target_label,omitempty"`
	Action       string   `json:"action,omitempty"`
}

type scrapeConfig struct {
	JobName              string       `json:"job_name"`
	HonorLabels          bool         `json:"honor_labels,omitempty"`
	Scheme               string       `json:"scheme,omitempty"`
	Authorization        *tokenFile   `json:"authorization,omitempty"`
	TLSConfig            *tlsConfig   `json:"tls_config,omitempty"`
	KubernetesSDConfigs  []discovery  `json:"kubernetes_sd_configs"`
	RelabelConfigs       []relabeling `json:"relabel_configs"`
	MetricRelabelConfigs []relabeling `json:"metric_relabel_configs,omitempty"`
	scrapeLimits
}

type tokenFile struct {
	CredentialsFile string `json:"credentials_file"`
}

type tlsConfig struct {
	CAFile     string `json:"ca_file"`
	ServerName string `json:"server_name"`
}

type discovery struct {
	Role       string     `json:"role"`
	Namespaces namespaces `json:"namespaces"`
}

type namespaces struct {
	Names []string `json:"names"`
}

type serverConfig struct {
	Global struct {
		ScrapeInterval     string `json:"scrape_interval"`
		EvaluationInterval string `json:"evaluation_interval"`
	} `json:"global"`
	RuleFiles     []string       `json:"rule_files"`
	ScrapeConfigs []scrapeConfig `json:"scrape_configs"`
}

// configuration is the configuration of a managed server. It discovers pods in the namespaces of the mesh only.
func configuration(inputs component.Inputs) serverConfig {
	var config serverConfig
	config.Global.ScrapeInterval, config.Global.EvaluationInterval = scrapeInterval, scrapeInterval
	config.RuleFiles = []string{configDir + "/" + rulesFile}
	mesh, namespace := inputs.Mesh.Name, component.Namespace(inputs.Mesh)
	for _, app := range []string{names.Controller, names.Injector} {
		config.ScrapeConfigs = append(config.ScrapeConfigs, scrapeConfig{
			JobName: app, KubernetesSDConfigs: pods(namespace),
			RelabelConfigs: slices.Concat([]relabeling{
				keep(app, "__meta_kubernetes_pod_label_app"), keep(healthPort, "__meta_kubernetes_pod_container_port_name"),
			}, podLabels(mesh)),
		})
	}
	if namespace := operatorNamespace(inputs); namespace != "" {
		config.ScrapeConfigs = append(config.ScrapeConfigs, operatorJob(mesh, namespace))
	}
	if len(inputs.Members) > 0 {
		config.ScrapeConfigs = append(config.ScrapeConfigs, sidecarJob(mesh, inputs.Members))
	}
	return config
}

func pods(list ...string) []discovery {
	return []discovery{{Role: "pod", Namespaces: namespaces{Names: list}}}
}

// podLabels labels a target by its mesh, namespace and pod.
func podLabels(mesh string) []relabeling {
	return []relabeling{
		{TargetLabel: "mesh", Replacement: &mesh},
		label("namespace", "(.*)", "$1", "__meta_kubernetes_namespace"),
		label("pod", "(.*)", "$1", "__meta_kubernetes_pod_name"),
	}
}

func keep(regex string, sources ...string) relabeling {
	return relabeling{SourceLabels: sources, Regex: regex, Action: "keep"}
}

func label(target, regex, replacement string, sources ...string) relabeling {
	return relabeling{SourceLabels: sources, Regex: regex, Replacement: &replacement, TargetLabel: target}
}
