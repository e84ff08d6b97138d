// Package autoscalers is the component that renders the HorizontalPodAutoscalers of control planes with autoscaling.
//
// The running control planes flow in; one autoscaler for each Deployment with autoscaling flows out. It has no state: an autoscaler is
// healthy when it exists.
package autoscalers
