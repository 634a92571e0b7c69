// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/hookstream/hookstream/stage/failure"
)

// classes are those of all codes, and why: one that a newer client adds must be
// thought about.
var classes = map[*kerr.Error]struct {
	class failure.Class
	why   string
}{
	kerr.UnknownServerError:                     {failure.Transient, "nobody knows, so wait"},
	kerr.OffsetOutOfRange:                       {failure.Transient, "FetchError knows which offset, and makes it Fatal"},
	kerr.CorruptMessage:                         {failure.Transient, "a damaged request"},
	kerr.UnknownTopicOrPartition:                {failure.Transient, "a broker that lags, or a deleted topic, which OnTopics notices"},
	kerr.InvalidFetchSize:                       {failure.Transient, "answers nothing that we ask"},
	kerr.LeaderNotAvailable:                     {failure.Transient, "an election"},
	kerr.NotLeaderForPartition:                  {failure.Transient, "an election"},
	kerr.RequestTimedOut:                        {failure.Transient, "a slow broker"},
	kerr.BrokerNotAvailable:                     {failure.Transient, "a broker away"},
	kerr.ReplicaNotAvailable:                    {failure.Transient, "a broker away"},
	kerr.MessageTooLarge:                        {failure.Fatal, "a setting: sizes are checked before"},
	kerr.StaleControllerEpoch:                   {failure.Transient, "answers nothing that we ask"},
	kerr.OffsetMetadataTooLarge:                 {failure.Transient, "answers nothing that we ask"},
	kerr.NetworkException:                       {failure.Transient, "a broker away"},
	kerr.CoordinatorLoadInProgress:              {failure.Transient, "the coordinator starts"},
	kerr.CoordinatorNotAvailable:                {failure.Transient, "the coordinator starts"},
	kerr.NotCoordinator:                         {failure.Transient, "the coordinator moved"},
	kerr.InvalidTopicException:                  {failure.Fatal, "a name that no topic can have"},
	kerr.RecordListTooLarge:                     {failure.Fatal, "a setting"},
	kerr.NotEnoughReplicas:                      {failure.Transient, "brokers come back"},
	kerr.NotEnoughReplicasAfterAppend:           {failure.Transient, "brokers come back"},
	kerr.InvalidRequiredAcks:                    {failure.Fatal, "a broker that is none of ours"},
	kerr.IllegalGeneration:                      {failure.Transient, "a rebalance"},
	kerr.InconsistentGroupProtocol:              {failure.Fatal, "another program is in the group"},
	kerr.InvalidGroupID:                         {failure.Fatal, "a setting"},
	kerr.UnknownMemberID:                        {failure.Transient, "a rebalance"},
	kerr.InvalidSessionTimeout:                  {failure.Fatal, "a setting"},
	kerr.RebalanceInProgress:                    {failure.Transient, "a rebalance"},
	kerr.InvalidCommitOffsetSize:                {failure.Transient, "answers nothing that we ask"},
	kerr.TopicAuthorizationFailed:               {failure.Fatal, "rights are granted by a person"},
	kerr.GroupAuthorizationFailed:               {failure.Fatal, "rights"},
	kerr.ClusterAuthorizationFailed:             {failure.Fatal, "rights, of idempotent writes too"},
	kerr.InvalidTimestamp:                       {failure.Transient, "clocks are put right"},
	kerr.UnsupportedSaslMechanism:               {failure.Fatal, "a setting"},
	kerr.IllegalSaslState:                       {failure.Fatal, "a setting"},
	kerr.UnsupportedVersion:                     {failure.Fatal, "too old a broker"},
	kerr.TopicAlreadyExists:                     {failure.Transient, "another instance was faster"},
	kerr.InvalidPartitions:                      {failure.Fatal, "a setting"},
	kerr.InvalidReplicationFactor:               {failure.Transient, "brokers that have not joined yet"},
	kerr.InvalidReplicaAssignment:               {failure.Transient, "nobody assigns"},
	kerr.InvalidConfig:                          {failure.Fatal, "a setting"},
	kerr.NotController:                          {failure.Transient, "the controller moved"},
	kerr.InvalidRequest:                         {failure.Transient, "nobody knows, so wait"},
	kerr.UnsupportedForMessageFormat:            {failure.Fatal, "too old a topic"},
	kerr.PolicyViolation:                        {failure.Fatal, "the broker's policy"},
	kerr.OutOfOrderSequenceNumber:               {failure.Transient, "a new epoch"},
	kerr.DuplicateSequenceNumber:                {failure.Transient, "written already"},
	kerr.InvalidProducerEpoch:                   {failure.Transient, "a new epoch"},
	kerr.InvalidTxnState:                        {failure.Transient, "a new epoch"},
	kerr.InvalidProducerIDMapping:               {failure.Transient, "the transactional id expired; a new epoch"},
	kerr.InvalidTransactionTimeout:              {failure.Fatal, "a setting"},
	kerr.ConcurrentTransactions:                 {failure.Transient, "the one before ends"},
	kerr.TransactionCoordinatorFenced:           {failure.Transient, "the coordinator moved"},
	kerr.TransactionalIDAuthorizationFailed:     {failure.Fatal, "rights"},
	kerr.SecurityDisabled:                       {failure.Fatal, "a setting of the broker"},
	kerr.OperationNotAttempted:                  {failure.Transient, "answers nothing that we ask"},
	kerr.KafkaStorageError:                      {failure.Transient, "the partition moves, or the disk is mended"},
	kerr.LogDirNotFound:                         {failure.Transient, "the partition moves, or the disk is mended"},
	kerr.SaslAuthenticationFailed:               {failure.Fatal, "credentials do not mend themselves"},
	kerr.UnknownProducerID:                      {failure.Transient, "retention took the producer's last records"},
	kerr.ReassignmentInProgress:                 {failure.Transient, "answers nothing that we ask"},
	kerr.DelegationTokenAuthDisabled:            {failure.Transient, "unused: no delegation tokens"},
	kerr.DelegationTokenNotFound:                {failure.Transient, "answers nothing that we ask"},
	kerr.DelegationTokenOwnerMismatch:           {failure.Transient, "answers nothing that we ask"},
	kerr.DelegationTokenRequestNotAllowed:       {failure.Transient, "answers nothing that we ask"},
	kerr.DelegationTokenAuthorizationFailed:     {failure.Transient, "answers nothing that we ask"},
	kerr.DelegationTokenExpired:                 {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidPrincipalType:                   {failure.Transient, "answers nothing that we ask"},
	kerr.NonEmptyGroup:                          {failure.Transient, "answers nothing that we ask"},
	kerr.GroupIDNotFound:                        {failure.Transient, "before the first member"},
	kerr.FetchSessionIDNotFound:                 {failure.Transient, "the client begins a new one"},
	kerr.InvalidFetchSessionEpoch:               {failure.Transient, "the client begins a new one"},
	kerr.ListenerNotFound:                       {failure.Transient, "a broker starts"},
	kerr.TopicDeletionDisabled:                  {failure.Transient, "answers nothing that we ask"},
	kerr.FencedLeaderEpoch:                      {failure.Transient, "the client asks who leads"},
	kerr.UnknownLeaderEpoch:                     {failure.Transient, "the broker catches up"},
	kerr.UnsupportedCompressionType:             {failure.Fatal, "a topic's setting"},
	kerr.StaleBrokerEpoch:                       {failure.Transient, "answers nothing that we ask"},
	kerr.OffsetNotAvailable:                     {failure.Transient, "an election"},
	kerr.MemberIDRequired:                       {failure.Transient, "the client joins again"},
	kerr.PreferredLeaderNotAvailable:            {failure.Transient, "answers nothing that we ask"},
	kerr.GroupMaxSizeReached:                    {failure.Transient, "until another leaves"},
	kerr.FencedInstanceID:                       {failure.Transient, "no member is static"},
	kerr.EligibleLeadersNotAvailable:            {failure.Transient, "answers nothing that we ask"},
	kerr.ElectionNotNeeded:                      {failure.Transient, "answers nothing that we ask"},
	kerr.NoReassignmentInProgress:               {failure.Transient, "answers nothing that we ask"},
	kerr.GroupSubscribedToTopic:                 {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidRecord:                          {failure.Transient, "a rule of the topic is taken back"},
	kerr.UnstableOffsetCommit:                   {failure.Transient, "a transaction ends"},
	kerr.ThrottlingQuotaExceeded:                {failure.Transient, "a quota is per time"},
	kerr.ProducerFenced:                         {failure.Transient, "a transaction that outlived its timeout; transact tells it from another process"},
	kerr.ResourceNotFound:                       {failure.Transient, "answers nothing that we ask"},
	kerr.DuplicateResource:                      {failure.Transient, "answers nothing that we ask"},
	kerr.UnacceptableCredential:                 {failure.Transient, "answers nothing that we ask"},
	kerr.InconsistentVoterSet:                   {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidUpdateVersion:                   {failure.Transient, "answers nothing that we ask"},
	kerr.FeatureUpdateFailed:                    {failure.Transient, "answers nothing that we ask"},
	kerr.PrincipalDeserializationFailure:        {failure.Transient, "answers nothing that we ask"},
	kerr.SnapshotNotFound:                       {failure.Transient, "answers nothing that we ask"},
	kerr.PositionOutOfRange:                     {failure.Transient, "answers nothing that we ask"},
	kerr.UnknownTopicID:                         {failure.Transient, "a topic made anew, which OnTopics notices"},
	kerr.DuplicateBrokerRegistration:            {failure.Transient, "answers nothing that we ask"},
	kerr.BrokerIDNotRegistered:                  {failure.Transient, "answers nothing that we ask"},
	kerr.InconsistentTopicID:                    {failure.Transient, "a topic made anew"},
	kerr.InconsistentClusterID:                  {failure.Transient, "answers nothing that we ask"},
	kerr.TransactionalIDNotFound:                {failure.Transient, "answers nothing that we ask"},
	kerr.FetchSessionTopicIDError:               {failure.Transient, "the client begins a new one"},
	kerr.IneligibleReplica:                      {failure.Transient, "answers nothing that we ask"},
	kerr.NewLeaderElected:                       {failure.Transient, "answers nothing that we ask"},
	kerr.OffsetMovedToTieredStorage:             {failure.Transient, "answers nothing that we ask"},
	kerr.FencedMemberEpoch:                      {failure.Transient, "the client joins again"},
	kerr.UnreleasedInstanceID:                   {failure.Transient, "no member is static"},
	kerr.UnsupportedAssignor:                    {failure.Transient, "answers nothing that we ask"},
	kerr.StaleMemberEpoch:                       {failure.Transient, "the client joins again"},
	kerr.MismatchedEndpointType:                 {failure.Transient, "answers nothing that we ask"},
	kerr.UnsupportedEndpointType:                {failure.Transient, "answers nothing that we ask"},
	kerr.UnknownControllerID:                    {failure.Transient, "answers nothing that we ask"},
	kerr.UnknownSubscriptionID:                  {failure.Transient, "answers nothing that we ask"},
	kerr.TelemetryTooLarge:                      {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidRegistration:                    {failure.Transient, "answers nothing that we ask"},
	kerr.TransactionAbortable:                   {failure.Transient, "aborted and begun anew"},
	kerr.InvalidRecordState:                     {failure.Transient, "answers nothing that we ask"},
	kerr.ShareSessionNotFound:                   {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidShareSessionEpoch:               {failure.Transient, "answers nothing that we ask"},
	kerr.FencedStateEpoch:                       {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidVoterKey:                        {failure.Transient, "answers nothing that we ask"},
	kerr.DuplicateVoter:                         {failure.Transient, "answers nothing that we ask"},
	kerr.VoterNotFound:                          {failure.Transient, "answers nothing that we ask"},
	kerr.InvalidRegularExpression:               {failure.Transient, "answers nothing that we ask"},
	kerr.RebootstrapRequired:                    {failure.Transient, "the client does"},
	kerr.StreamsInvalidTopology:                 {failure.Transient, "answers nothing that we ask"},
	kerr.StreamsInvalidTopologyEpoch:            {failure.Transient, "answers nothing that we ask"},
	kerr.StreamsTopologyFenced:                  {failure.Transient, "answers nothing that we ask"},
	kerr.ShareSessionLimitReached:               {failure.Transient, "answers nothing that we ask"},
	kerr.GroupDeletionFailed:                    {failure.Transient, "answers nothing that we ask"},
	kerr.StreamsTopologyDescriptionUpdateFailed: {failure.Transient, "answers nothing that we ask"},
	kerr.ControllerIDNotRegistered:              {failure.Transient, "answers nothing that we ask"},
}

func TestEveryCodeHasAClass(t *testing.T) {
	for code := math.MinInt16; code <= math.MaxInt16; code++ {
		known := kerr.TypedErrorForCode(int16(code))
		if known == nil || known == kerr.UnknownServerError && code != -1 {
			continue
		}
		want, ok := classes[known]
		if !ok {
			t.Errorf("%s (%d) has no class: decide it here, and what to do in remedies", known.Message, code)
			continue
		}
		got := Classify(fmt.Errorf("produce to events.payment.v1: %w", known))
		if failure.Of(got) != want.class || !errors.Is(got, known) {
			t.Errorf("%s is %s, want %s: %s", known.Message, failure.Of(got), want.class, want.why)
		}
		if want.class == failure.Fatal && !strings.HasSuffix(got.Error(), ")") {
			t.Errorf("%v stops a service and does not say what to do", got)
		}
	}
}

func TestWhatNobodyClassifiedWaits(t *testing.T) {
	if Classify(nil) != nil {
		t.Error("no error became one")
	}
	for _, err := range []error{context.DeadlineExceeded, errors.New("connection refused")} {
		if got := Classify(err); failure.Of(got) != failure.Transient || !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}
