package prometheus

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
)

// Files of the ConfigMap.
const (
	configFile = "prometheus.yml"
	rulesFile  = "rules.yml"
)

func configMap(inputs component.Inputs) (*corev1.ConfigMap, error) {
	file, err := rules.ForMesh(inputs.Mesh.Name)
	if err != nil {
		return nil, err
	}
	config, err := yaml.Marshal(configuration(inputs))
	if err != nil {
		return nil, fmt.Errorf("the configuration of Prometheus cannot be written: %w", err)
	}
	ruleText, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("the rules of Prometheus cannot be written: %w", err)
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: component.Namespace(inputs.Mesh), Name: Name},
		Data:       map[string]string{configFile: string(config), rulesFile: string(ruleText)},
	}, nil
}
