"""Asks from below: an idea gathers seconds and becomes an ask, first of a group, then of a few by lot, a region, all.

model             what proposing takes and gives back   rows            ideas, read and locked
submitting        how one is made                       seconding       seconds, objections, reports
proposal_answers  PROPOSE, SECOND 7, REPORT 7           deciding        what two organizers decide
stages            the next step of each                 looking         what that step depends on
asking            the ask that it becomes               results         what came of it
telling           what its proposer hears               report_answers  what they tell those who said yes
reading           as organizers see them                sights          as everybody does
pages_links       where their pages are
"""
