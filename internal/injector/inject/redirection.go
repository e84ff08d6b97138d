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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// redirection returns the traffic that bypasses the sidecar: the union of the settings and the pod's annotations.
func redirection(pod *corev1.Pod, ns Namespace, c Config) (redirect.Config, error) {
	traffic := c.Settings.Traffic
	dns, err := redirectsDNS(pod, ns)
	problems := []error{err}
	ports := func(field string, settings []int, annotation string) []uint16 {
		list, err := mergePorts(field, settings, pod.Annotations, annotation)
		problems = append(problems, err)
		return list
	}
	ranges := func(field string, settings []string, annotation string) []netip.Prefix {
		list, err := mergeRanges(field, settings, pod.Annotations, annotation)
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

func mergePorts(field string, settings []int, annotations map[string]string, annotation string) ([]uint16, error) {
	var list []uint16
	var problems []error
	add := func(where, text string) {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			problems = append(problems, fmt.Errorf("%s has %q, which is not a port: use numbers from 1 to 65535, separated by commas", where, text))
			return
		}
		list = append(list, uint16(port))
	}
	for _, port := range settings {
		add("spec.traffic."+field+" of the MeshConfig", strconv.Itoa(port))
	}
	for _, text := range items(annotations[annotation]) {
		add("the annotation "+annotation+" of the pod", text)
	}
	return list, errors.Join(problems...)
}

func mergeRanges(field string, settings []string, annotations map[string]string, annotation string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	var problems []error
	add := func(where, text string) {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s has %q, which is not an IP range: "+
				"write addresses with a prefix length, for example 10.0.0.0/8, separated by commas", where, text))
			return
		}
		list = append(list, prefix)
	}
	for _, text := range settings {
		add("spec.traffic."+field+" of the MeshConfig", text)
	}
	for _, text := range items(annotations[annotation]) {
		add("the annotation "+annotation+" of the pod", text)
	}
	return list, errors.Join(problems...)
}

// items splits a comma-separated annotation value; an empty value is an empty list.
func items(list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	texts := strings.Split(list, ",")
	for i, text := range texts {
		texts[i] = strings.TrimSpace(text)
	}
	return texts
}
