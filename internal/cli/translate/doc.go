// Package translate converts TrafficSplits, their HTTPRouteGroups and Retries to HTTPRoutes and TCPRoutes whose parents are Services, and back.
//
// A translation is exact: requests of every client reach the same backends in the same shares. What cannot be said in the other language is not
// translated, and a note says why. Access stays with TrafficTargets in both.
package translate
