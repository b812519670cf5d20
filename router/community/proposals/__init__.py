"""Asks from below: an idea gathers seconds and becomes an ask, first of a group, then of a few by lot, a region, all.

model       what an idea is                      submitting  how one is made
seconding   seconds, objections, reports         deciding    what two organizers decide
stages      the next step of each                telling     what its proposer hears
"""
