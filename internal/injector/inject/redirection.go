package inject

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// redirection returns the traffic that bypasses the sidecar: the union of the settings and the pod's annotations.
func redirection(pod *corev1.Pod, ns Namespace, c Config) (redirect.Config, error) {
	traffic := c.Settings.Traffic
	dns, err := redirectsDNS(pod, ns)
	problems := []error{err}
	ports := func(field string, settings []int, annotation string) []uint16 {
		list, err := merge(field, lists.Map(settings, strconv.Itoa), pod, annotation, "a port: use numbers from 1 to 65535", parsePort)
		problems = append(problems, err)
		return list
	}
	ranges := func(field string, settings []string, annotation string) []netip.Prefix {
		const expected = "an IP range: write addresses with a prefix length, for example 10.0.0.0/8"
		list, err := merge(field, settings, pod, annotation, expected, netip.ParsePrefix)
		problems = append(problems, err)
		return list
	}
	rules := redirect.Config{
		ExcludeInboundPorts:   ports("inboundPortExclusionList", traffic.InboundPortExclusionList, names.InboundPortExclusionAnnotation),
		ExcludeOutboundPorts:  ports("outboundPortExclusionList", traffic.OutboundPortExclusionList, names.OutboundPortExclusionAnnotation),
		ExcludeOutboundRanges: ranges("outboundIPRangeExclusionList", traffic.OutboundIPRangeExclusionList, names.OutboundIPRangeExclusionAnnotation),
		IncludeOutboundRanges: ranges("outboundIPRangeInclusionList", traffic.OutboundIPRangeInclusionList, names.OutboundIPRangeInclusionAnnotation),
		ExcludeInterfaces:     traffic.NetworkInterfaceExclusionList,
		RedirectDNS:           dns,
		ToPodIP:               c.Settings.Sidecar.LocalProxyMode == configv1alpha2.LocalProxyModePodIP,
		Verify:                c.Reach.ControlPlane,
	}
	for _, name := range rules.ExcludeInterfaces {
		if err := redirect.ValidateInterface(name); err != nil {
			problems = append(problems, fmt.Errorf("spec.traffic.networkInterfaceExclusionList of the MeshConfig: %w", err))
		}
	}
	return rules, errors.Join(problems...)
}

// redirectsDNS reports whether connections to name servers go through the sidecar. The pod's annotation has precedence over its namespace's.
func redirectsDNS(pod *corev1.Pod, ns Namespace) (bool, error) {
	onPod, podSet, podErr := parseSwitch("pod", pod.Annotations, names.RedirectDNSAnnotation)
	onNamespace, _, namespaceErr := parseSwitch("namespace "+ns.Name, ns.Annotations, names.RedirectDNSAnnotation)
	if podSet {
		return onPod, podErr
	}
	return onNamespace, namespaceErr
}

// merge parses the values of a setting and of an annotation of the pod. What is expected completes the sentence about an invalid one.
func merge[T any](field string, settings []string, pod *corev1.Pod, annotation, expected string, parse func(string) (T, error)) ([]T, error) {
	var list []T
	var problems []error
	add := func(where, text string) {
		value, err := parse(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s has %q, which is not %s, separated by commas", where, text, expected))
			return
		}
		list = append(list, value)
	}
	for _, text := range settings {
		add("spec.traffic."+field+" of the MeshConfig", text)
	}
	for _, text := range items(pod.Annotations[annotation]) {
		add("the annotation "+annotation+" of the pod", text)
	}
	return list, errors.Join(problems...)
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if port == 0 {
		err = strconv.ErrRange
	}
	return uint16(port), err
}

// items splits a comma-separated annotation value; an empty value is an empty list.
func items(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	return lists.Map(strings.Split(list, ","), strings.TrimSpace)
}
