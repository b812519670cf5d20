"""Group chats: what is answered and commanded there, the tally under our posts, who of our members is in which.

turn       what a handler is given              hearing     whose business a message in a group is
answers    an answer under a post               posts       posts under which somebody answered
showing    the tally is brought up to date      commands    whose business a command is
evenings   /events, /rsvp                       ideas       /propose, /second, /report
quieting   /why, /quiet                         speaking    what the bot says there, and how often
membership who comes and goes, who the steward is           linking   a person's way from the group to their record
"""
