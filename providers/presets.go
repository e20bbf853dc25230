package providers

import (
	"slices"
	"time"
)

// NoPreset is the preset of a provider that wants none, though the configuration has one for all.
const NoPreset = "none"

// Presets returns the names of the presets, without NoPreset.
func Presets() []string { return []string{presetTelnyx, presetTwilio, presetVonage} }

const (
	presetTelnyx = "telnyx"
	presetTwilio = "twilio"
	presetVonage = "vonage"
)

// PresetRules returns the rules of a preset, nil for one that is not known. They tell what a carrier's codes cannot:
// that a refusal is a limit, or our own fault in signing in. What the callee says they leave alone.
//
// A limit of calls in a second also rests the provider until that second is over, so that the calls of the same moment
// do not all run into it. A limit of calls at once does not: it is over with the next call that ends.
func PresetRules(name string) []Rule {
	switch name {
	case presetTelnyx:
		return slices.Clone(telnyxRules)
	case presetTwilio:
		return slices.Clone(twilioRules)
	case presetVonage:
		return slices.Clone(vonageRules)
	default:
		return nil
	}
}

const (
	asLimit = "limit"
	asAuth  = "auth"
)

// telnyxRules tell Telnyx's 403s apart by the code at the end of the reason phrase, as listed in
// https://support.telnyx.com/en/articles/4409457-telnyx-sip-response-codes and, shorter, in
// https://developers.telnyx.com/docs/voice/sip-trunking/troubleshooting/response-codes:
//
//	403 User channel limit exceeded D1               calls at once of the account
//	403 OB profile channel limit exceeded D2         of the outbound voice profile
//	403 Connection channel limit exceeded D3         of the connection
//	403 Channel limit exceeded D22                   of any of them
//	403 Unable to locate an account/number ... D25   who we are: D25 to D29
//	403 Connection for caller not present D26
//	403 Invalid X-Telnyx-Token ... D29
//	503 CPS Limit Reached                            "try again in a few seconds" (P05)
var telnyxRules = []Rule{ //nolint:gochecknoglobals // A table.
	{Code: "403", Reason: "D1", Then: ActionNext, As: asLimit},
	{Code: "403", Reason: "D2", Then: ActionNext, As: asLimit},
	{Code: "403", Reason: "D3", Then: ActionNext, As: asLimit},
	{Code: "403", Reason: "D22", Then: ActionNext, As: asLimit},
	{Code: "403", Reason: "D25", Then: ActionNext, As: asAuth},
	{Code: "403", Reason: "D26", Then: ActionNext, As: asAuth},
	{Code: "403", Reason: "D27", Then: ActionNext, As: asAuth},
	{Code: "403", Reason: "D28", Then: ActionNext, As: asAuth},
	{Code: "403", Reason: "D29", Then: ActionNext, As: asAuth},
	{Code: "503", Reason: "CPS limit", Then: ActionRest, For: 2 * time.Second, As: asLimit},
}

// twilioRules read what an Elastic SIP Trunk refuses a call for, from the reason phrase
// (https://support.twilio.com/hc/en-us/articles/223180028: "503 Trunk CPS limit exceeded") and from the code at the
// start of X-Twilio-Error (https://www.twilio.com/docs/api/errors):
//
//	32001 Trunk CPS limit exceeded                   calls in a second of the trunk, 1 by default
//	32012 Parent account pooled Trunking CPS limit exceeded
//	10004 Call concurrency limit exceeded            calls at once of the account
//	32200 Insufficient permissions                   who we are
//	32201 Source IP address not in ACL
var twilioRules = []Rule{ //nolint:gochecknoglobals // A table.
	{Code: "503", Reason: "CPS limit", Then: ActionRest, For: time.Second, As: asLimit},
	{Code: "4xx", Header: twilioError, Reason: "32001*", Then: ActionRest, For: time.Second, As: asLimit},
	{Code: "5xx", Header: twilioError, Reason: "32001*", Then: ActionRest, For: time.Second, As: asLimit},
	{Code: "4xx", Header: twilioError, Reason: "32012*", Then: ActionRest, For: time.Second, As: asLimit},
	{Code: "5xx", Header: twilioError, Reason: "32012*", Then: ActionRest, For: time.Second, As: asLimit},
	{Code: "4xx", Header: twilioError, Reason: "10004*", Then: ActionNext, As: asLimit},
	{Code: "5xx", Header: twilioError, Reason: "10004*", Then: ActionNext, As: asLimit},
	{Code: "403", Header: twilioError, Reason: "32200*", Then: ActionNext, As: asAuth},
	{Code: "403", Header: twilioError, Reason: "32201*", Then: ActionNext, As: asAuth},
}

const twilioError = "X-Twilio-Error"

// vonageRules take a 503 for what Vonage says it is: more than 3 new calls in a second, its default
// (https://developer.vonage.com/en/voice/voice-api/concepts/cps-limit). Refused calls are not queued
// (https://api.support.vonage.com/hc/en-us/articles/207100288), so the next provider may try at once.
var vonageRules = []Rule{ //nolint:gochecknoglobals // A table.
	{Code: "503", Then: ActionRest, For: time.Second, As: asLimit},
}
