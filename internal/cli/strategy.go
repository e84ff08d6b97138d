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

// strategyFlags say which way an upgrade takes.
type strategyFlags struct {
	strategy, namespaces string
}

func (f *strategyFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&f.strategy, "strategy", "", "way of the upgrade: in-place, or canary, which tries the new version in some namespaces first (default: what the Mesh says)")
	flags.StringVar(&f.namespaces, "canary-namespaces", "", "label selector of the namespaces that come first, such as stage=early; with --strategy canary")
}

// wanted is the strategy that the flags name; empty when they name none.
func (f *strategyFlags) wanted() (v1alpha1.UpgradeStrategy, error) {
	switch strings.ToLower(strings.ReplaceAll(f.strategy, "-", "")) {
	case "canary":
		return v1alpha1.StrategyCanary, nil
	case "inplace":
		return v1alpha1.StrategyInPlace, nil
	case "":
		return "", nil
	}
	return "", fmt.Errorf("--strategy %q is not known: use in-place or canary", f.strategy)
}

// check says what is wrong with the flags alone.
func (f *strategyFlags) check() error {
	wanted, err := f.wanted()
	if err == nil && f.namespaces != "" && wanted != v1alpha1.StrategyCanary {
		return errors.New("--canary-namespaces has a meaning only with --strategy canary")
	}
	if _, parsed := metav1.ParseToLabelSelector(f.namespaces); err == nil && parsed != nil {
		return fmt.Errorf("--canary-namespaces %q is not a label selector: write for example stage=early, or kubernetes.io/metadata.name=shop: %w", f.namespaces, parsed)
	}
	return err
}

// patch is what the flags change in spec.upgrade of a Mesh, as a JSON merge patch; nil for nothing. live is what the Mesh says now: who
// came first in an earlier upgrade does not come first in this one, too.
func (f *strategyFlags) patch(live *v1alpha1.UpgradeSpec) (map[string]any, error) {
	wanted, err := f.wanted()
	if err != nil || wanted == "" {
		return nil, err
	}
	change := map[string]any{"strategy": string(wanted)}
	declared := live != nil && live.Canary != nil
	switch {
	case wanted == v1alpha1.StrategyInPlace:
		change["canary"] = nil
	case f.namespaces == "" && !declared:
		return nil, errors.New("the strategy canary needs to know who comes first: name namespaces of the mesh by a label with --canary-namespaces, such as kubernetes.io/metadata.name=shop")
	case f.namespaces != "":
		var before map[string]string
		if declared {
			before = live.Canary.Namespaces.MatchLabels
		}
		selector, err := replaced(before, f.namespaces)
		if err != nil {
			return nil, err
		}
		change["canary"] = map[string]any{"namespaces": selector}
	}
	return change, nil
}

// replaced is a merge patch that makes a selector, which has some labels, the one that a text says.
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
