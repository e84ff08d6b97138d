package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// strategyFlags select the upgrade strategy.
type strategyFlags struct {
	strategy, namespaces string
}

func (f *strategyFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.strategy, "strategy", "", "upgrade strategy: in-place or canary (default: the strategy of the Mesh)")
	flags.StringVar(&f.namespaces, "canary-namespaces", "", "label selector for the canary namespaces, such as stage=early; requires --strategy canary")
}

// selected returns the selected strategy, or "" if none is selected.
func (f *strategyFlags) selected() (v1alpha1.UpgradeStrategyType, error) {
	switch strings.ToLower(strings.ReplaceAll(f.strategy, "-", "")) {
	case "canary":
		return v1alpha1.StrategyCanary, nil
	case "inplace":
		return v1alpha1.StrategyInPlace, nil
	case "":
		return "", nil
	}
	return "", fmt.Errorf("invalid --strategy %q: must be in-place or canary", f.strategy)
}

// check validates the flags.
func (f *strategyFlags) check() error {
	selected, err := f.selected()
	if err == nil && f.namespaces != "" && selected != v1alpha1.StrategyCanary {
		return errors.New("--canary-namespaces requires --strategy canary")
	}
	if _, parsed := metav1.ParseToLabelSelector(f.namespaces); err == nil && parsed != nil {
		return fmt.Errorf("invalid --canary-namespaces %q: must be a label selector such as stage=early or kubernetes.io/metadata.name=shop: %w", f.namespaces, parsed)
	}
	return err
}

// patch is what the flags change in spec.upgrade of a Mesh, as a JSON merge patch; nil for nothing. live is the present value in the Mesh.
// Canary namespaces of an earlier upgrade do not remain selected.
func (f *strategyFlags) patch(live *v1alpha1.UpgradeSpec) (map[string]any, error) {
	selected, err := f.selected()
	if err != nil || selected == "" {
		return nil, err
	}
	strategy := map[string]any{"type": string(selected)}
	declared := live != nil && live.Strategy != nil && live.Strategy.Canary != nil
	switch {
	case selected == v1alpha1.StrategyInPlace:
		strategy["canary"] = nil
	case f.namespaces == "" && !declared:
		return nil, errors.New("--strategy canary requires --canary-namespaces, a label selector such as kubernetes.io/metadata.name=shop")
	case f.namespaces != "":
		var before map[string]string
		if declared {
			before = live.Strategy.Canary.Namespaces.MatchLabels
		}
		selector, err := replaced(before, f.namespaces)
		if err != nil {
			return nil, err
		}
		strategy["canary"] = map[string]any{"namespaces": selector}
	}
	return map[string]any{"strategy": strategy}, nil
}

// replaced returns a merge patch that replaces a selector with the labels before by the selector in text.
func replaced(before map[string]string, text string) (map[string]any, error) {
	selector, err := metav1.ParseToLabelSelector(text)
	if err != nil {
		return nil, err
	}
	after, err := runtime.DefaultUnstructuredConverter.ToUnstructured(selector)
	if err != nil {
		return nil, err
	}
	labels := map[string]any{}
	for label := range before {
		labels[label] = nil
	}
	for label, value := range selector.MatchLabels {
		labels[label] = value
	}
	after["matchLabels"] = labels
	if len(selector.MatchExpressions) == 0 {
		after["matchExpressions"] = nil
	}
	return after, nil
}
