package envoy

import (
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	transformv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/actions/transform_stat/v3"
	statinputv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/stats/v3"
)

// unknownStatuses are the numbers that gRPC does not define. An application can answer with any number.
const unknownStatuses = "1[7-9]|[2-9][0-9]|[0-9]{3,}"

// sharedRules bound the values of labels by name, where a server could else use up the limits that others share with it. A status that gRPC does not define is
// -1 there, as Envoy writes one that is no number. Elsewhere a server harms its own counters only, and each listener would need 0.4 kB more.
var sharedRules = map[string]*xdsmatcherv3.Matcher{grpcStatus.name: replaceTag(unknownStatuses, "-1")}

// replaceTag replaces the value of a label that matches a regular expression. A request without the label costs 0.06 microseconds, and 0.2 without
// the comparison with the empty text.
func replaceTag(expression, replacement string) *xdsmatcherv3.Matcher {
	isEmpty := tagMatches(&xdsmatcherv3.StringMatcher{MatchPattern: &xdsmatcherv3.StringMatcher_Exact{}})
	isReplaced := tagMatches(xdsExpression(expression))
	isSet := &xdsmatcherv3.Matcher_MatcherList_Predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_NotMatcher{NotMatcher: isEmpty}}
	both := &xdsmatcherv3.Matcher_MatcherList_Predicate_AndMatcher{AndMatcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_PredicateList{
		Predicate: []*xdsmatcherv3.Matcher_MatcherList_Predicate{isSet, isReplaced},
	}}
	action := &transformv3.TransformStat{UpdateTag: &transformv3.TransformStat_UpdateTag{NewTagValue: replacement}}
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherList_{MatcherList: &xdsmatcherv3.Matcher_MatcherList{
		Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{
			Predicate: &xdsmatcherv3.Matcher_MatcherList_Predicate{MatchType: both},
			OnMatch:   &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{Action: extension("update", action)}},
		}},
	}}}
}

// tagMatches compares the value of the label that has the rule.
func tagMatches(value *xdsmatcherv3.StringMatcher) *xdsmatcherv3.Matcher_MatcherList_Predicate {
	return inputMatches("value", &statinputv3.StatTagValueInput{}, value)
}
